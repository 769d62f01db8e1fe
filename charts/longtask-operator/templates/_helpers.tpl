{{/*
Names are fixed: the policies and roles are the cluster's, so there can be one release of this chart in a cluster.
*/}}
{{- define "longtask-operator.name" -}}
longtask-operator
{{- end }}

{{/* The user name of the operator's service account: the only one that may write every part of a status. */}}
{{- define "longtask-operator.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "longtask-operator.name" . }}
{{- end }}

{{- define "longtask-operator.selectorLabels" -}}
app.kubernetes.io/name: longtask-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "longtask-operator.labels" -}}
{{ include "longtask-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: longtask
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/*
What stays when the release is uninstalled: the CRD, and whatever guards the tasks that stay with it. Their workers go
on saving, by the same rules.
*/}}
{{- define "longtask-operator.keep" -}}
{{- if .Values.crds.keep -}}
annotations:
  helm.sh/resource-policy: keep
{{- end }}
{{- end }}

{{- define "longtask-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}
