"""What a record's value may be, the row that it becomes, and the dead letter where it becomes none. Functions on bytes."""
