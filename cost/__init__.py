"""What circuits cost: synthesis against cell libraries, and the analytic model held against it."""
