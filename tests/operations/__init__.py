"""What the person on call looks at: dashboards, alerts and the runbook, held against a bridge at work."""
