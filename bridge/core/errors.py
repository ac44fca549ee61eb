"""The exceptions a user may meet, named by who can mend them.

BridgeError
├── ConfigError                 the operator: a setting, file or command-line value is wrong
├── SchemaError                 whoever owns the topic: a schema or topic file does not fit
├── CursorUnusable              the operator: somebody changed the cursor topic (bridge.kafka.cursor_topic)
├── SchemaRegistryUnavailable   time, or the registry's owner        (bridge.kafka.refusal)
├── ApiError                    time, or Productiv: it holds the outcome (bridge.productiv.questions)
├── FileChanged                 whoever writes the file              (bridge.uploads.files)
├── RecordRejected              whoever produced the record          (bridge.export.export)
└── Interrupted                 nobody: run it again                 (bridge.reconcile.reconciler)
"""


class BridgeError(Exception):
    """Any error that the bridge explains to its user instead of showing a traceback."""


class ConfigError(BridgeError):
    """The configuration is wrong; the message names file, line, key and what to do."""


class SchemaError(BridgeError):
    """A schema or topic file cannot be used; the message names the file and the reason."""
