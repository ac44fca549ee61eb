{{- define "productiv-bridge.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, as names of deployments and of dashboards follow. */}}
{{- define "productiv-bridge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "productiv-bridge.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "productiv-bridge.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "productiv-bridge.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ include "productiv-bridge.name" . }}
{{- end -}}

{{/* What all pods that run the bridge have, and no other. */}}
{{- define "productiv-bridge.selector" -}}
app.kubernetes.io/name: {{ include "productiv-bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "productiv-bridge.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "productiv-bridge.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "productiv-bridge.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "productiv-bridge.port" -}}
{{- dig "http" "port" 9400 .Values.config | int -}}
{{- end -}}

{{- define "productiv-bridge.secretName" -}}
{{- .secret.existingSecret | default (printf "%s-%s" (include "productiv-bridge.fullname" .root) .folder) -}}
{{- end -}}

{{/* bridge.yaml: the configuration from values, and what the chart decides. */}}
{{- define "productiv-bridge.config" -}}
{{- $decided := dict "kafka" (dict "create_topics" (eq .Values.topics.manage "run")) -}}
{{- mergeOverwrite (deepCopy .Values.config) $decided | toYaml -}}
{{- end -}}
