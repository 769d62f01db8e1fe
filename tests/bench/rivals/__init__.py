"""What people write today, to measure against."""
