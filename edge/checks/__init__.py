"""What the doctor looks at: functions from a `Patient` to findings."""
