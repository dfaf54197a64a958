-- The queue in which the best ready job stands. A look for each queue, which reads one row of the index job_claim_order:
-- asked for several queues at once, a database sorts all that waits in them.
SELECT queue FROM ({looks}) AS heads
WHERE queue NOT IN (SELECT queue FROM jobs_pausedqueue)
ORDER BY priority, id LIMIT 1;
