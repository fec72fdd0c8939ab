"""The steps by which a store's tables became what `serving.store.tables` says, oldest first.

`serving.store.migrate` runs those that a store has not had yet when it is opened, all of them in
one transaction. To change a table:

1. change it in `serving/store/tables.py`;
2. add ``rNNNN_what_it_does.py`` here, with the next number, in the shape of its neighbours::

       \"\"\"Let a token be kept to a book of accounts.\"\"\"

       import sqlalchemy as sa
       from alembic import op

       revision = "0002"
       down_revision = "0001"


       def upgrade() -> None:
           \"\"\"Add the column.\"\"\"
           op.add_column("tokens", sa.Column("book", sa.Text()))

3. run ``pytest tests/serving/store/test_migrations.py``: it compares the migrated tables with
   `serving/store/tables.py` on SQLite and PostgreSQL, and migrates a store that has rows.

A step names its columns itself and imports nothing of ours: it has to do the same in a year. It
keeps every row: a new column may be null, or has a ``server_default``. SQLite changes a column only
by copying its table: ``with op.batch_alter_table("tokens") as table: table.alter_column(…)``. A
step that was released is not edited any more; there are no steps back, a backup is one.
"""
