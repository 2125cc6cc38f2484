"""A run of `edge-train person --photos`: enrolment, evaluation, report."""
