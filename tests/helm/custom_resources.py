"""What the chart uses of resources that operators define, as JSON Schemas: Kubernetes has none of them."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
WHOLE: Schema = {"type": "integer", "minimum": 1}
ANY: Schema = {}
# Booleans and numbers in quotes: these resources take text only.
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def _only(*needed: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(needed),
        "additionalProperties": False,
    }


def _list(of: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": of}


NAME = _only("name", name=TEXT)
ENDPOINTS = _list(_only("port", "path", port=TEXT, path=TEXT, interval={"pattern": "^[0-9]+(ms|s|m)$"}))
SELECTOR = _only("matchLabels", matchLabels=TEXTS)
TRIGGER = _only(
    "type",
    "metadata",
    type={"const": "kafka"},
    metadata=TEXTS | {"required": ["bootstrapServers", "consumerGroup", "topic", "lagThreshold"]},
    authenticationRef=NAME,
)
RULE = _only("expr", alert=TEXT, record=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS) | {
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}]
}
RULE["properties"] |= {"for": TEXT, "keep_firing_for": TEXT}

SPECS: dict[tuple[str, str], Schema] = {
    ("monitoring.coreos.com/v1", "PodMonitor"): _only(
        "selector", "podMetricsEndpoints", selector=SELECTOR, podMetricsEndpoints=ENDPOINTS
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _only(
        "selector", "endpoints", selector=SELECTOR, endpoints=ENDPOINTS
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _only(
        "groups",
        groups=_list(_only("name", "rules", name=TEXT, interval=TEXT, limit=WHOLE, rules=_list(RULE))),
    ),
    ("keda.sh/v1alpha1", "ScaledObject"): _only(
        "scaleTargetRef",
        "triggers",
        scaleTargetRef=NAME,
        minReplicaCount=WHOLE,
        maxReplicaCount=WHOLE,
        advanced=_only(horizontalPodAutoscalerConfig=_only(behavior=ANY)),
        triggers=_list(TRIGGER),
    ),
    ("kafka.strimzi.io/v1", "KafkaTopic"): _only(
        "topicName", "partitions", topicName=TEXT, partitions=WHOLE, replicas=WHOLE, config=TEXTS
    ),
    ("external-secrets.io/v1", "ExternalSecret"): _only(
        "secretStoreRef",
        "target",
        "data",
        refreshInterval=TEXT,
        secretStoreRef=_only("name", "kind", name=TEXT, kind=TEXT),
        target=NAME,
        data=_list(
            _only(
                "secretKey",
                "remoteRef",
                secretKey=TEXT,
                remoteRef=_only("key", key=TEXT, property=TEXT, version=TEXT),
            )
        ),
    ),
}
