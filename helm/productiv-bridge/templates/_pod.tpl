{{/* What the pods of the bridge and of the jobs around it have in common. */}}
{{- define "productiv-bridge.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "productiv-bridge.containerBasics" -}}
image: {{ include "productiv-bridge.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
{{- end -}}

{{- define "productiv-bridge.mounts" -}}
- {name: config, mountPath: /etc/productiv-bridge, readOnly: true}
{{- range $folder, $secret := .Values.secrets }}
- {name: secret-{{ $folder }}, mountPath: /run/secrets/{{ $folder }}, readOnly: true}
{{- end }}
{{- end -}}

{{/* `config` is the name of the ConfigMap. */}}
{{- define "productiv-bridge.volumes" -}}
- name: config
  configMap: {name: {{ .config }}}
{{- range $folder, $secret := .root.Values.secrets }}
- name: secret-{{ $folder }}
  secret: {secretName: {{ include "productiv-bridge.secretName" (dict "root" $.root "folder" $folder "secret" $secret) }}}
{{- end }}
{{- end -}}
