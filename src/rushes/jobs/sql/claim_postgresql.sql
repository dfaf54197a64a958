-- MATERIALIZED: else the planner may run the locking query more than once. SKIP LOCKED: workers do not wait for one another.
WITH best AS MATERIALIZED (
    SELECT id FROM jobs_job
    WHERE status = 'pending'
      AND queue = %(queue)s
      AND queue NOT IN (SELECT queue FROM jobs_pausedqueue)
      AND kind IN ({kinds})
      AND run_after <= clock_timestamp()
    ORDER BY priority, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs_job
SET status = 'processing',
    claim = claim + 1,
    worker = %(worker)s,
    lease_until = clock_timestamp() + %(lease)s::interval,
    started_at = clock_timestamp()
FROM best
WHERE jobs_job.id = best.id AND jobs_job.status = 'pending'
RETURNING jobs_job.id, claim, kind, queue, "group", args, priority, failures, max_failures, parent_id;
