"""Runtime: owns all threads, bounded queues, the latency ledger and the report."""
