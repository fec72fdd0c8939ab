-- A ready feature table for `tenure train churn --table`: one row per account and month, each column
-- from what lay before the date, and the label: a churn event within 90 days. The last label needs
-- 90 days, and the grace of 30, before the extract.
WITH months AS (
    SELECT unnest(generate_series(DATE '2023-07-01', DATE '2024-09-01', INTERVAL 1 MONTH))::DATE AS as_of
), rows AS (
    SELECT account_id, as_of, industry, country, referral_source,
           date_diff('day', signup_date, as_of) AS tenure_days
    FROM 'ravenstack_accounts.csv', months
    WHERE signup_date < as_of
), money AS (
    SELECT r.account_id, r.as_of, count(*) AS subscriptions, sum(s.mrr_amount) AS mrr, sum(s.seats) AS seats
    FROM rows AS r JOIN 'ravenstack_subscriptions.csv' AS s USING (account_id)
    WHERE s.start_date < r.as_of AND (s.end_date IS NULL OR s.end_date >= r.as_of)
    GROUP BY ALL
), usage AS (
    SELECT r.account_id, r.as_of, sum(u.usage_count) AS usage_90d, sum(u.error_count) AS errors_90d,
           count(DISTINCT u.feature_name) AS breadth_90d
    FROM rows AS r JOIN 'ravenstack_subscriptions.csv' AS s USING (account_id)
    JOIN 'ravenstack_feature_usage.csv' AS u USING (subscription_id)
    WHERE u.usage_date >= r.as_of - INTERVAL 90 DAY AND u.usage_date < r.as_of
    GROUP BY ALL
), tickets AS (
    SELECT r.account_id, r.as_of, count(*) AS tickets_90d, avg(t.first_response_time_minutes) AS response_90d,
           avg(t.satisfaction_score) FILTER (t.closed_at < r.as_of) AS satisfaction_90d
    FROM rows AS r JOIN 'ravenstack_support_tickets.csv' AS t USING (account_id)
    WHERE t.submitted_at >= r.as_of - INTERVAL 90 DAY AND t.submitted_at < r.as_of - INTERVAL 1 DAY
    GROUP BY ALL
), events AS (
    SELECT r.account_id, r.as_of,
           count(*) FILTER (c.churn_date < r.as_of) AS churn_events_so_far,
           count(*) FILTER (c.churn_date >= r.as_of AND c.churn_date < r.as_of + INTERVAL 90 DAY) > 0 AS label
    FROM rows AS r LEFT JOIN 'ravenstack_churn_events.csv' AS c USING (account_id)
    GROUP BY ALL
)
SELECT r.*, m.* EXCLUDE (account_id, as_of), u.* EXCLUDE (account_id, as_of),
       t.* EXCLUDE (account_id, as_of), e.churn_events_so_far, e.label
FROM rows AS r
LEFT JOIN money AS m USING (account_id, as_of)
LEFT JOIN usage AS u USING (account_id, as_of)
LEFT JOIN tickets AS t USING (account_id, as_of)
JOIN events AS e USING (account_id, as_of)
ORDER BY as_of, account_id
