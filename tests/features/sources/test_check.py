"""The way of a source from files to checked Parquet."""

ACCOUNTS = """
    account_id  created_at
    a           2024-01-01
    b           2024-02-01
"""
SUBSCRIPTIONS = """
    subscription_id  account_id  product  mrr  started_at  ended_at
    s1               a           base     100  2024-01-01  -
    s2               b           base     50   2024-02-01  2024-12-31
"""


def test_it_reads_text_tables(company):
    source = company({"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS})
    print(source.read("subscriptions").T, source)
    assert source.read("accounts")["account_id"].tolist() == ["a", "b"]
