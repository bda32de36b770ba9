"""How a project is: status, verification, repair, the doctor."""
