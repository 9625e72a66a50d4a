{{- define "strongroom.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name, with the chart's unless it is in it already. */ -}}
{{- define "strongroom.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "strongroom.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "strongroom.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "strongroom.operator" -}}
{{ include "strongroom.fullname" . }}-operator
{{- end }}

{{- define "strongroom.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}
{{- .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}
{{- include "strongroom.operator" . }}
{{- else }}
{{- fail "serviceAccount.name: name the account that the operator shall use, since serviceAccount.create is off" }}
{{- end }}
{{- end }}

{{- /* What Deployment and Service find the operator's pods by. They never change. */ -}}
{{- define "strongroom.selector" -}}
app.kubernetes.io/name: {{ include "strongroom.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "strongroom.labels" -}}
app.kubernetes.io/name: {{ include "strongroom.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: strongroom
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "strongroom.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- /* The values' jobDefaults, over the operator's own image. */ -}}
{{- define "strongroom.jobDefaults" -}}
{{- $own := dict "image" (include "strongroom.image" .) "imagePullPolicy" .Values.image.pullPolicy }}
{{- with .Values.imagePullSecrets }}{{ $_ := set $own "imagePullSecrets" . }}{{ end }}
{{- toYaml (merge (deepCopy .Values.jobDefaults) $own) }}
{{- end }}

{{- /* Whether nothing of the cluster's scope is made. */ -}}
{{- define "strongroom.namespaced" -}}
{{ if .Values.watch.namespaces }}yes{{ end }}
{{- end }}
