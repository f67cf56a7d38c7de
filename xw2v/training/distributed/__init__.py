"""Many processes that train one pair of tables: who they are, what each trains, and how their tables are brought together."""
