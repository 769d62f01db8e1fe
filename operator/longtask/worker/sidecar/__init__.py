"""What saves for programs that know nothing of LongTask: their position is a file. See docs/any-program.md."""
