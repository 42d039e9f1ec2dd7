"""What people and programs tell or ask through the API and the pages."""
