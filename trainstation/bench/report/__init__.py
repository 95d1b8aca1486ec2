"""What people see of the rows: tables, pictures, the page."""
