{{/* Refuses a configuration that cannot work in this chart; all else is checked by the bridge itself. */}}
{{- define "productiv-bridge.checkConfig" -}}
{{- $config := .Values.config -}}
{{- $kafka := $config.kafka | default dict -}}
{{- if not $kafka.bootstrap_servers -}}
{{- fail "config.kafka.bootstrap_servers: say where Kafka is, such as kafka-1:9092,kafka-2:9092" -}}
{{- end -}}
{{- if hasKey $kafka "create_topics" -}}
{{- fail "config.kafka.create_topics: the chart sets it; say in topics.manage who makes the topics" -}}
{{- end -}}
{{- if hasKey ($config.productiv | default dict) "replicas" -}}
{{- fail "config.productiv.replicas: the chart sets it to the number of pods; remove it" -}}
{{- end -}}
{{- range $section := list "sinks" "sources" -}}
  {{- range $stream, $settings := get $config $section | default dict -}}
    {{- if hasKey ($settings | default dict) "enabled" -}}
      {{- fail (printf "config.%s.%s.enabled: name the stream in the streams of a deployment, or leave it out there" $section $stream) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- include "productiv-bridge.checkSecrets" . -}}
{{- $http := $config.http | default dict -}}
{{- if eq (toString (get $http "enabled")) "false" -}}
{{- fail "config.http.enabled: the probes need the operations port; remove it" -}}
{{- end -}}
{{- if has (toString (get $http "host")) (list "127.0.0.1" "localhost" "::1") -}}
{{- fail "config.http.host: the kubelet asks from outside the pod; remove it" -}}
{{- end -}}
{{- if le (.Values.terminationGracePeriodSeconds | float64) ($config.shutdown_deadline_seconds | default 25 | float64) -}}
{{- fail "terminationGracePeriodSeconds: it must be longer than config.shutdown_deadline_seconds, or pods are killed while they settle what is in flight" -}}
{{- end -}}
{{- if and (eq .Values.topics.manage "strimzi") (not .Values.topics.strimzi.cluster) -}}
{{- fail "topics.strimzi.cluster: name the Kafka resource that the topics are for" -}}
{{- end -}}
{{- end -}}

{{- define "productiv-bridge.checkSecrets" -}}
{{- $config := .Values.config -}}
{{- if (get ($config.productiv | default dict) "client_secret") -}}
{{- fail "config.productiv.client_secret: a ConfigMap is no place for a secret; put it into the Secret of secrets.productiv" -}}
{{- end -}}
{{- if (get ($config.schema_registry | default dict) "password") -}}
{{- fail "config.schema_registry.password: a ConfigMap is no place for a secret; name a Secret in secrets.registry, and set password_file to /run/secrets/registry/ and the key" -}}
{{- end -}}
{{- range $setting, $_ := dig "kafka" "settings" dict $config -}}
  {{- if regexMatch "(password|passphrase|secret|key\\.pem|sasl\\.jaas\\.config)$" $setting -}}
    {{- fail (printf "config.kafka.settings.%s: a ConfigMap is no place for a secret; name a Secret in secrets.kafka, and its file in config.kafka.settings_files" $setting) -}}
  {{- end -}}
{{- end -}}
{{- range $folder, $secret := .Values.secrets -}}
  {{- if and $secret.existingSecret $secret.external -}}
    {{- fail (printf "secrets.%s: existingSecret and external are both given; a Secret comes from one of them" $folder) -}}
  {{- end -}}
  {{- if not (or $secret.existingSecret $secret.external) -}}
    {{- fail (printf "secrets.%s: name a Secret in existingSecret, or say in external where it comes from" $folder) -}}
  {{- end -}}
  {{- if and $secret.external (eq $.Values.topics.manage "job") -}}
    {{- fail (printf "secrets.%s.external: its Secret is made with the release, and the job of topics.manage runs before that; make the Secret beforehand and name it in existingSecret, or set topics.manage to run or strimzi" $folder) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
