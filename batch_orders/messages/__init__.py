"""What people read: every finding, status and error, in plain words, with what to do next."""
