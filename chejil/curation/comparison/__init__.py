"""What two runs differ in."""
