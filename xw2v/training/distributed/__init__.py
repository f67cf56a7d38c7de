"""Many processes that train one pair of tables: who they are, what each trains, how their tables come together."""
