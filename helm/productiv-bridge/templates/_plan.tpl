{{/*
What is deployed, as YAML: {deployments: {NAME: {streams, sinks, most, sharing, replicas, autoscaling, pod}}, topics:
[...]}. `most` is the number of pods at most, `sharing` that of all pods which share a rate of the API with this one.
All templates go by it, so that values which cannot work are refused whatever is rendered.
*/}}
{{- define "productiv-bridge.plan" -}}
{{- include "productiv-bridge.checkConfig" . -}}
{{- $described := .Files.Get "files/topics.yaml" | fromYamlArray -}}
{{- $kinds := dict -}}
{{- range $described }}{{ if .kind }}{{ $_ := set $kinds (first .for) .kind }}{{ end }}{{ end -}}
{{- $deployments := dict -}}
{{- $running := dict -}}
{{- $total := dict "sink" 0 "source" 0 -}}
{{- range $name, $deployment := .Values.deployments -}}
{{- if $deployment.streams -}}
  {{- range $stream := $deployment.streams -}}
    {{- with get $running $stream -}}
      {{- fail (printf "deployments.%s.streams: %s runs in deployments.%s as well; take it out of one of the two" $name $stream .) -}}
    {{- end -}}
    {{- $_ := set $running $stream $name -}}
  {{- end -}}
  {{- $planned := include "productiv-bridge.planned" (dict "root" $ "name" $name "deployment" $deployment "kinds" $kinds "described" $described) | fromYaml -}}
  {{- $_ := set $deployments $name $planned -}}
  {{- range $kind := $planned.kinds }}{{ $_ := set $total $kind (add (get $total $kind) $planned.most) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if not $deployments -}}
{{- fail "deployments: no stream runs in any of them, so there is nothing to deploy; name streams in deployments.sinks.streams or deployments.sources.streams" -}}
{{- end -}}
{{- range $deployments -}}
  {{- $sharing := 0 -}}
  {{- range .kinds }}{{ $sharing = max $sharing (get $total .) }}{{ end -}}
  {{- $_ := set . "sharing" $sharing -}}
{{- end -}}
{{- $topics := list -}}
{{- range $described -}}
  {{- $needed := false -}}
  {{- range .for }}{{ if hasKey $running . }}{{ $needed = true }}{{ end }}{{ end -}}
  {{- if $needed -}}
    {{- $name := include "productiv-bridge.configured" (dict "config" $.Values.config "topic" .) -}}
    {{- $partitions := include "productiv-bridge.partitions" (dict "root" $ "topic" .) | int -}}
    {{- $topics = append $topics (dict "name" $name "file" (.file | default "") "partitions" $partitions "config" .config) -}}
  {{- end -}}
{{- end -}}
{{- toYaml (dict "deployments" $deployments "topics" $topics) -}}
{{- end -}}

{{/* One deployment of the plan. */}}
{{- define "productiv-bridge.planned" -}}
{{- $path := printf "deployments.%s" .name -}}
{{- $values := .root.Values -}}
{{- $autoscaling := mergeOverwrite (deepCopy $values.autoscaling) (.deployment.autoscaling | default dict) -}}
{{- $scaled := ne $autoscaling.kind "none" -}}
{{- $pod := mergeOverwrite (deepCopy $values.pod) (.deployment.pod | default dict) -}}
{{- $workers := int $pod.workers -}}
{{- $kinds := list -}}
{{- $sinks := list -}}
{{- $bound := 0 -}}
{{- range $stream := .deployment.streams -}}
  {{- $kind := get $.kinds $stream -}}
  {{- $kinds = append $kinds $kind | uniq -}}
  {{- if and $scaled (eq $kind "source") -}}
    {{- fail (printf "%s.autoscaling.kind: %s is a source, and has no lag to scale by; set it to none" $path $stream) -}}
  {{- end -}}
  {{- range $topic := $.described -}}
    {{- $of := ternary (and (eq $kind "sink") (eq .setting (printf "sinks.%s.topic" $stream))) (eq .setting "kafka.cursors_topic") (eq $kind "sink") -}}
    {{- if $of -}}
      {{- $partitions := include "productiv-bridge.partitions" (dict "root" $.root "topic" $topic) | int -}}
      {{- $bound = max $bound $partitions -}}
      {{- if eq $kind "sink" -}}
        {{- $name := include "productiv-bridge.configured" (dict "config" $values.config "topic" $topic) -}}
        {{- $sinks = append $sinks (dict "stream" $stream "topic" $name "partitions" $partitions) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $replicas := .deployment.replicas | default 1 | int -}}
{{- $most := ternary ($autoscaling.max | int | default (max 1 (div $bound $workers))) $replicas $scaled -}}
{{- $processes := mul $most $workers -}}
{{- if gt $processes $bound -}}
  {{- $asked := ternary (printf "%d pods" $most) (printf "%d workers (%d in each of %d pods)" $processes $workers $most) (eq $workers 1) -}}
  {{- fail (printf "%s: %s are asked for, and none of its topics has more than %d partitions, so that %d would have nothing to do; ask for fewer, or say in topics.partitions how many there are" $path $asked $bound (sub $processes $bound)) -}}
{{- end -}}
{{- if and $scaled (gt (int $autoscaling.min) $most) -}}
  {{- fail (printf "%s.autoscaling: min is %d and max is %d; min may not be above max" $path (int $autoscaling.min) $most) -}}
{{- end -}}
{{- range $sinks -}}
  {{- if and (gt $processes 1) (gt (int .partitions) 1) (eq .stream "org_chart") (eq (dig "sinks" "org_chart" "mode" "upsert" $values.config) "snapshot") -}}
    {{- fail (printf "%s: a snapshot of the org chart must come to one process as a whole, and with %d partitions and %d processes it would not; give org_chart a deployment of its own with one pod and one worker" $path (int .partitions) $processes) -}}
  {{- end -}}
{{- end -}}
{{- toYaml (dict "streams" .deployment.streams "kinds" $kinds "sinks" $sinks "replicas" $replicas "most" $most "autoscaling" $autoscaling "pod" $pod) -}}
{{- end -}}

{{/* The name that the configuration gives a topic. */}}
{{- define "productiv-bridge.configured" -}}
{{- $found := .config -}}
{{- range splitList "." .topic.setting -}}
  {{- $found = kindIs "map" $found | ternary (get ($found | default dict) .) nil -}}
{{- end -}}
{{- $found | default .topic.name -}}
{{- end -}}

{{/* How many partitions a topic has. */}}
{{- define "productiv-bridge.partitions" -}}
{{- get .root.Values.topics.partitions (.topic.file | default "") | default .topic.partitions | int -}}
{{- end -}}
