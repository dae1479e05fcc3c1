"""Run a consuming repository's real workflow files without GitHub, through act."""
