"""A public test kit: clocks, a simulator, suites that every implementation passes."""
