"""What holds the jobs of `python-ci.yml` together: the plan before them, the lint job, the gate behind them."""
