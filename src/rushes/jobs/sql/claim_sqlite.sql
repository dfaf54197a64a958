-- One statement is one transaction: of two workers the second finds another row, or none.
UPDATE jobs_job
SET status = 'processing',
    claim = claim + 1,
    worker = %(worker)s,
    lease_until = STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', %(lease)s),
    started_at = STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')
WHERE id = (
    SELECT id FROM jobs_job
    WHERE status = 'pending'
      AND queue = %(queue)s
      AND queue NOT IN (SELECT queue FROM jobs_pausedqueue)
      AND kind IN ({kinds})
      AND run_after <= STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')
    ORDER BY priority, id
    LIMIT 1
)
RETURNING id, claim, kind, queue, "group", args, priority, failures, max_failures, parent_id;
