SELECT * FROM (
    SELECT queue, priority, id FROM jobs_job
    WHERE status = 'pending'
      AND queue = %(queue{number})s
      AND kind IN ({kinds})
      AND run_after <= {now}
    ORDER BY priority, id
    LIMIT 1
) AS head{number}
