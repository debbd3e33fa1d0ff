"""The parts of tools/lab. Each file has one subject, and says so in its first line."""
