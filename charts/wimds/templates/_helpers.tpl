{{- define "wimds.name" -}}
{{- .Chart.Name -}}
{{- end -}}

{{- define "wimds.fullname" -}}
{{- $name := include "wimds.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "wimds.selector" -}}
app.kubernetes.io/name: {{ include "wimds.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The port of the reviews. */}}
{{- define "wimds.port" -}}
{{- with .Values.webhook -}}
{{- if and $.Values.hostNetwork (eq (int .port) 10250) -}}
{{- fail "webhook.port is 10250, which the kubelet uses on every node. Fix: with hostNetwork set another port, such as 10260" -}}
{{- end -}}
{{- if eq (int .port) (int .adminPort) -}}
{{- fail (printf "webhook.port and webhook.adminPort are both %d. Fix: change one of them" (int .port)) -}}
{{- end -}}
{{- .port -}}
{{- end -}}
{{- end -}}

{{/* Labels of every object. commonLabels cannot replace the labels of the selector. */}}
{{- define "wimds.labels" -}}
{{- $labels := dict "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $labels = merge $labels (dict "app.kubernetes.io/component" "webhook" "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version)) -}}
{{- merge (include "wimds.selector" . | fromYaml) (.Values.commonLabels | default dict) $labels | toYaml -}}
{{- end -}}

{{/* Labels of an object: dict "root" … "more" (labels that take precedence). */}}
{{- define "wimds.labelsWith" -}}
{{- merge (dict) (.more | default dict) (include "wimds.labels" .root | fromYaml) | toYaml -}}
{{- end -}}

{{/*
Labels of pods: dict "root" … "labels" "selector" (names of templates) "more" (labels that take precedence) "value" (the name of
that value). Fails if "more" has a label of the selector.
*/}}
{{- define "wimds.podLabels" -}}
{{- range $name, $_ := include .selector .root | fromYaml -}}
{{- if hasKey ($.more | default dict) $name -}}
{{- fail (printf "%s must not contain %s: selectors of the chart use this label. Fix: remove it" $.value $name) -}}
{{- end -}}
{{- end -}}
{{- merge (dict) (.more | default dict) (include .labels .root | fromYaml) | toYaml -}}
{{- end -}}

{{/* Annotations of pods that must not be injected: dict "annotations" … "value" (the name of that value). */}}
{{- define "wimds.podAnnotations" -}}
{{- range $name, $_ := .annotations -}}
{{- if or (hasPrefix "wimds.io/" $name) (eq $name "azure.workload.identity/inject-proxy-sidecar") -}}
{{- fail (printf "%s must not contain %s: the webhook would have to review pods of its own installation. Fix: remove it" $.value $name) -}}
{{- end -}}
{{- end -}}
{{- toYaml .annotations -}}
{{- end -}}

{{/* Fails if a value is invalid. The message names the value and the fix; a pattern in values.schema.json could not. */}}
{{- define "wimds.checkValues" -}}
{{- $guid := `^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$` -}}
{{- $domain := `^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$` -}}
{{- $fullname := include "wimds.fullname" . -}}
{{- if not (regexMatch `^[a-z]` $fullname) -}}
{{- fail (printf "the objects would have the name %s, but the name of a Service must begin with a letter. Fix: set fullnameOverride" $fullname) -}}
{{- end -}}
{{- $registry := `^([^\s/A-Z]+|[^\s/]*[.:][^\s/]*)(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$` -}}
{{- with (.Values.global | default dict).imageRegistry -}}
{{- if not (regexMatch $registry .) -}}
{{- fail (printf "global.imageRegistry %q is not a registry. Fix: set it to HOST[:PORT][/PATH] with the path in lower case, such as example.azurecr.io" .) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "image" "redirectImage" "gateImage" "clusterImage" -}}
{{- with get $.Values $name -}}
{{- if not (regexMatch `^((([^\s/A-Z]+|[^\s/]*[.:][^\s/]*)/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*)?$` (.repository | default "")) -}}
{{- fail (printf "%s.repository %q is not the name of an image without tag and digest. Fix: set it to HOST/PATH with the path in lower case, such as ghcr.io/wimds/wimds, and use %s.tag and %s.digest" $name .repository $name $name) -}}
{{- end -}}
{{- if not (regexMatch `^([0-9A-Za-z_][0-9A-Za-z_.-]{0,127})?$` (.tag | default "")) -}}
{{- fail (printf "%s.tag %q is not a tag. Fix: set it to letters, digits and _ . -, such as 0.1.0, or leave it empty" $name .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $octet := `(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])` -}}
{{- $hostname := `([A-Za-z0-9_-]+[.])*[A-Za-z_][A-Za-z0-9_-]*` -}}
{{- $host := printf `(%s([.]%s){3}|%s|\[[0-9A-Fa-f:]+\])` $octet $octet $hostname -}}
{{- $address := include "wimds.nodeAgentAdmin" . -}}
{{- if not (regexMatch (printf `^%s:[0-9]{1,5}$` $host) $address) -}}
{{- fail (printf "nodeAgent.adminListen %q is not an address and a port. Fix: set it to ADDRESS:PORT, such as 127.0.0.1:9441 or [::]:9441" $address) -}}
{{- end -}}
{{- $port := splitList ":" $address | last | int -}}
{{- if or (lt $port 1) (gt $port 65535) -}}
{{- fail (printf "nodeAgent.adminListen %q has no port from 1 to 65535. Fix: set it to ADDRESS:PORT, such as 127.0.0.1:9441" $address) -}}
{{- end -}}
{{- with (.Values.injection.env | default dict).WIMDS_CA_FILE -}}
{{- if and $.Values.nodeAgent.enabled (not (regexMatch `^/etc/(ssl|wimds)/` .)) -}}
{{- fail (printf "injection.env.WIMDS_CA_FILE %q is a file that the brokers of mode node cannot read. Fix: use injection.ca, or a path below /etc/ssl or /etc/wimds" .) -}}
{{- end -}}
{{- end -}}
{{- $uid := include "wimds.text" .Values.injection.uid -}}
{{- if gt (float64 $uid) 2147483647.0 -}}
{{- fail (printf "injection.uid %s is too large. Fix: set it to 1 up to 2147483647, or to none" $uid) -}}
{{- end -}}
{{- with .Values.injection.tenantId -}}
{{- if not (or (regexMatch $guid .) (regexMatch $domain .)) -}}
{{- fail (printf "injection.tenantId %q is neither a GUID nor a domain. Fix: set it to the output of `az account show --query tenantId --output tsv`" .) -}}
{{- end -}}
{{- end -}}
{{- with .Values.certificates.caBundle -}}
{{- if not (contains "-----BEGIN CERTIFICATE-----" (b64dec .)) -}}
{{- fail "certificates.caBundle is not the base64 of a PEM certificate. Fix: set it to the output of `base64 -w0 ca.crt`" -}}
{{- end -}}
{{- end -}}
{{- if gt (include "wimds.seconds" .Values.drain | int) 3600 -}}
{{- fail (printf "drain %s is too long. Fix: set it to 0s up to 1h" .Values.drain) -}}
{{- end -}}
{{- with .Values.prometheusRule.runbookUrl -}}
{{- if not (regexMatch `^https?://\S+$` .) -}}
{{- fail (printf "prometheusRule.runbookUrl %q is not a URL. Fix: set it to one that begins with https:// or http://" .) -}}
{{- end -}}
{{- end -}}
{{- range $name, $resources := dict "resources" .Values.resources "nodeAgent.resources" .Values.nodeAgent.resources -}}
{{- range $kind, $amounts := pick ($resources | default dict) "requests" "limits" -}}
{{- range $what, $amount := $amounts -}}
{{- $text := include "wimds.text" $amount -}}
{{- if not (regexMatch `^(null|([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?)$` $text) -}}
{{- fail (printf "%s.%s.%s %q is not a quantity. Fix: set it to a number with a unit, such as 100m or 128Mi" $name $kind $what $text) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $set := dict
  "AZURE_CLIENT_ID" "the annotation azure.workload.identity/client-id of ServiceAccounts"
  "AZURE_TENANT_ID" "injection.tenantId"
  "AZURE_FEDERATED_TOKEN_FILE" "AZURE_FEDERATED_TOKEN_FILE of a pod's own container"
  "WIMDS_MODE" "injection.mode"
  "WIMDS_LISTEN" "the annotation wimds.io/port of a pod"
  "WIMDS_ADMIN_LISTEN" "the annotation wimds.io/admin-port of a pod"
  "WIMDS_CONFIG" "the annotation wimds.io/config-map of a pod"
-}}
{{- range $name, $_ := .Values.injection.env -}}
{{- with get $set $name -}}
{{- fail (printf "injection.env must not contain %s, which injection sets. Fix: use %s" $name .) -}}
{{- end -}}
{{- end -}}
{{- with .Values.injection -}}
{{- if and (hasKey (.env | default dict) "WIMDS_CA_FILE") (or .ca.configMap .ca.secret) -}}
{{- fail "injection.env.WIMDS_CA_FILE and injection.ca are both set. Fix: remove one of them" -}}
{{- end -}}
{{- end -}}
{{- range $what := list "cpu" "memory" -}}
{{- $request := get $.Values.injection.resources (printf "%sRequest" $what) -}}
{{- $limit := get $.Values.injection.resources (printf "%sLimit" $what) -}}
{{- if and $limit (lt (include "wimds.amount" $limit | float64) (include "wimds.amount" $request | float64)) -}}
{{- fail (printf "injection.resources.%sLimit %s is below %sRequest %s. Fix: raise the limit" $what (include "wimds.text" $limit) $what (include "wimds.text" $request)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A number as it was written: Helm would print a large one as 1e+09. */}}
{{- define "wimds.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* The seconds of a duration, rounded up. */}}
{{- define "wimds.seconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mulf (trimSuffix $unit . | float64) (get (dict "ms" 0.001 "s" 1 "m" 60 "h" 3600) $unit) | ceil | int -}}
{{- end -}}

{{/* The number of a quantity such as 128Mi. */}}
{{- define "wimds.amount" -}}
{{- $text := include "wimds.text" . -}}
{{- $unit := regexFind "[a-zA-Z]*$" $text -}}
{{- $factors := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 -}}
{{- $factors = merge $factors (dict "Ki" 0x1p10 "Mi" 0x1p20 "Gi" 0x1p30 "Ti" 0x1p40) -}}
{{- mulf (trimSuffix $unit $text | float64) (get $factors $unit) -}}
{{- end -}}

{{/* The image that a value names: list "redirectImage" $ */}}
{{- define "wimds.image" -}}
{{- $value := first . -}}
{{- $root := last . -}}
{{- $image := get $root.Values $value -}}
{{- $name := trimSuffix "-" (printf "wimds-%s" (trimSuffix "image" (lower $value))) -}}
{{- $registry := ($root.Values.global | default dict).imageRegistry -}}
{{- if not (or $image.repository $registry) -}}
{{- fail "global.imageRegistry is empty: only the chart of a release names the registry of its images. Fix: set it to the registry that you pushed them to, such as example.azurecr.io (npm run package -- --registry example.azurecr.io --push)" -}}
{{- end -}}
{{- $image.repository | default (printf "%s/%s" $registry $name) -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* The CEL expression of src/injection/injector/azwi-opt-in.ts: whether a pod opts in by an annotation of azure-workload-identity. */}}
{{- define "wimds.optsInByAzwi" -}}
object.metadata.?annotations[?'azure.workload.identity/inject-proxy-sidecar'].orValue('') == 'true' && object.metadata.?labels[?'azure.workload.identity/use'].orValue('') != 'true'
{{- end -}}

{{- define "wimds.tlsSecret" -}}
{{- if eq .Values.certificates.source "secret" -}}
{{ required "certificates.secretName is needed with certificates.source=secret. Fix: set it to a Secret with tls.crt and tls.key" .Values.certificates.secretName }}
{{- else if eq .Values.certificates.source "cert-manager" -}}
{{- /* Another name than with source own: when the source changes, Helm would delete that Secret, or not adopt it. */ -}}
{{ include "wimds.fullname" . }}-cert
{{- else -}}
{{ include "wimds.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{/* Whether pods in the namespace of the release can be injected, so that `helm test` has a test. */}}
{{- define "wimds.hasTest" -}}
{{- $isExcluded := or (has .Release.Namespace .Values.webhook.excludedNamespaces) .Values.webhook.namespaceSelector -}}
{{- if not $isExcluded }}true{{ end -}}
{{- end -}}

{{/* The specification of a pod of `helm test`, up to the arguments of its container. */}}
{{- define "wimds.testPod" -}}
serviceAccountName: {{ include "wimds.fullname" . }}-test
restartPolicy: Never
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
containers:
  - name: test
    image: {{ include "wimds.image" (list "clusterImage" .) }}
    imagePullPolicy: IfNotPresent
    {{- include "wimds.noProbes" . | nindent 4 }}
    resources: {{- toYaml .Values.resources | nindent 6 }}
    securityContext: {{- toYaml .Values.securityContext | nindent 6 }}
{{- end -}}

{{/* Probes of a container that ends before they run. AKS Automatic rejects a container without probes, even in a Job. */}}
{{- define "wimds.noProbes" -}}
{{- $probe := dict "exec" (dict "command" (list "/nodejs/bin/node" "--version")) "initialDelaySeconds" 3600 -}}
{{- dict "readinessProbe" $probe "livenessProbe" $probe | toYaml -}}
{{- end -}}

{{/* Labels of the test's objects. The selectors of the webhook's pods must not match them. */}}
{{- define "wimds.testLabels" -}}
{{- $labels := dict "app.kubernetes.io/name" (printf "%s-test" (include "wimds.name" .)) "app.kubernetes.io/component" "test" -}}
{{- merge $labels (include "wimds.labels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- define "wimds.nodeAgentSelector" -}}
app.kubernetes.io/name: {{ include "wimds.name" . }}-node-agent
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of the node agent's objects. The selectors of the webhook's pods must not match them. */}}
{{- define "wimds.nodeAgentLabels" -}}
{{- $labels := merge (include "wimds.nodeAgentSelector" . | fromYaml) (dict "app.kubernetes.io/component" "node-agent") -}}
{{- merge $labels (include "wimds.labels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- define "wimds.nodeAgentAdmin" -}}
{{ .Values.nodeAgent.adminListen | default (ternary "[::]:9441" "127.0.0.1:9441" .Values.podMonitor.enabled) }}
{{- end -}}

{{/* Whether an address can be reached from other pods: it is not a loopback address. */}}
{{- define "wimds.isReachable" -}}
{{- if not (regexMatch `^(127\.|localhost:|\[::1\]:)` .) }}true{{ end -}}
{{- end -}}
