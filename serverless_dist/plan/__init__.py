"""What will it cost, how long will it take, which way is best: before anything runs."""
