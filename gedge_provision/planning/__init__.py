"""Pure functions from facts and intent to plans. No I/O."""
