{{- define "wimds.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "wimds.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wimds.labels" -}}
{{ include "wimds.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/component: webhook
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* labelsWith: dict "root" … "more" …; the latter go before */}}
{{- define "wimds.labelsWith" -}}
{{- merge (dict) (.more | default dict) (include "wimds.labels" .root | fromYaml) | toYaml -}}
{{- end -}}

{{- define "wimds.podLabels" -}}
{{- range $name, $_ := include "wimds.selector" . | fromYaml -}}
{{- if hasKey ($.Values.podLabels | default dict) $name -}}
{{- fail (printf "podLabels must not hold %s: the Service and the Deployment find their pods by it" $name) -}}
{{- end -}}
{{- end -}}
{{- include "wimds.labelsWith" (dict "root" . "more" .Values.podLabels) -}}
{{- end -}}

{{/* A number as it was written; to be printed they have been made floats. */}}
{{- define "wimds.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* How many seconds a duration has, rounded up. */}}
{{- define "wimds.seconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mulf (trimSuffix $unit . | float64) (get (dict "ms" 0.001 "s" 1 "m" 60 "h" 3600) $unit) | ceil | int -}}
{{- end -}}

{{/* The number that a quantity stands for. */}}
{{- define "wimds.amount" -}}
{{- $text := include "wimds.text" . -}}
{{- $unit := regexFind "[a-zA-Z]*$" $text -}}
{{- $factors := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 -}}
{{- $factors = merge $factors (dict "Ki" 0x1p10 "Mi" 0x1p20 "Gi" 0x1p30 "Ti" 0x1p40) -}}
{{- mulf (trimSuffix $unit $text | float64) (get $factors $unit) -}}
{{- end -}}

{{/* The flags of injection.resources. */}}
{{- define "wimds.resourceFlags" -}}
{{- $resources := . -}}
{{- range $what := list "cpu" "memory" -}}
{{- $request := get $resources (printf "%sRequest" $what) -}}
{{- $limit := get $resources (printf "%sLimit" $what) -}}
- --{{ $what }}-request={{ include "wimds.text" $request }}
{{ with $limit -}}
{{- if lt (include "wimds.amount" . | float64) (include "wimds.amount" $request | float64) -}}
{{- fail (printf "injection.resources.%sLimit %s is below %sRequest %s" $what (include "wimds.text" .) $what (include "wimds.text" $request)) -}}
{{- end -}}
- --{{ $what }}-limit={{ include "wimds.text" . }}
{{ end -}}
{{- end -}}
{{- end -}}

{{/* image: dict "image" … "chart" … */}}
{{- define "wimds.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "wimds.tlsSecret" -}}
{{- if eq .Values.certificates.source "secret" -}}
{{ required "certificates.secretName is needed with certificates.source=secret" .Values.certificates.secretName }}
{{- else -}}
{{ include "wimds.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{/* The API server can tell by itself which pods ask for the sidecar. */}}
{{- define "wimds.hasMatchConditions" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}true{{ end -}}
{{- end -}}
