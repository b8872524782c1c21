"""What differs from run to run and is no property of the arm: when joints were read, and where they were zeroed."""
