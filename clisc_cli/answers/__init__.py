"""What every command answers with --json, typed; `clisc schema` publishes it as JSON Schema."""
