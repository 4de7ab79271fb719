"""Remote tasks: functions and classes that run elsewhere, and refs of what they give."""
