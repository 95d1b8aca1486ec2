"""One run: its trials in processes, its progress, and what it need not run again."""
