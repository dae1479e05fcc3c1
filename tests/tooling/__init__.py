"""What prepares and drives the tests of this repository; no tests of its own."""
