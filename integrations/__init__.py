"""Where this package meets others: one module for each foreign framework."""
