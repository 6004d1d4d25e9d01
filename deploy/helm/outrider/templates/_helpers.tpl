{{/* The chart's name, cut to what a label may have. */}}
{{- define "outrider.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What every object's name begins with. */}}
{{- define "outrider.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "outrider.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "outrider.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Of every pod of this release: what the NetworkPolicies select. */}}
{{- define "outrider.releaseLabels" -}}
app.kubernetes.io/name: {{ include "outrider.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of an object that belongs to no one service. */}}
{{- define "outrider.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "outrider.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ include "outrider.fullname" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
What follows is about one service and takes a dict:
  root    the chart's own context
  name    the service
  facts   its entry of files/services.yaml: ports and memory, written from tools/local/services.ts
  values  its part of .Values.services
*/}}
{{- define "outrider.service.labels" -}}
{{ include "outrider.labels" .root }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "outrider.service.selector" -}}
{{ include "outrider.releaseLabels" .root }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "outrider.service.fullname" -}}
{{ include "outrider.fullname" .root }}-{{ .name }}
{{- end }}

{{- define "outrider.service.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := get $image.digests .name -}}
{{ $image.registry }}/{{ $image.repository }}/{{ .name }}
{{- if $digest }}@{{ $digest }}{{ else }}:{{ default .root.Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{- define "outrider.service.secret" -}}
{{ default (include "outrider.service.fullname" .) (get .root.Values.secrets.services .name) }}
{{- end }}

{{- define "outrider.service.ownerSecret" -}}
{{ default (printf "%s-owner" (include "outrider.service.fullname" .)) (get .root.Values.secrets.owners .name) }}
{{- end }}

{{- define "outrider.service.tlsSecret" -}}
{{ default (printf "%s-tls" (include "outrider.service.fullname" .)) (get .root.Values.secrets.tls .name) }}
{{- end }}

{{/* A port of a service with pod.portOffset, from `port` and `root`. */}}
{{- define "outrider.port" -}}
{{ add (int .port) (int .root.Values.pod.portOffset) }}
{{- end }}

{{/* Where a face (vehicle, operator, status) of a service is reached, without a trailing slash. Takes root, name, face. */}}
{{- define "outrider.url" -}}
{{- $scheme := ternary "http" "https" (eq .face "status") -}}
{{- $face := get (get .root.Values.services .name) .face -}}
{{- if $face.url -}}
{{ $face.url }}
{{- else if .root.Values.publicAddress -}}
{{- $facts := get (.root.Files.Get "files/services.yaml" | fromYaml) .name -}}
{{- $port := get $facts (ternary "http" .face (eq .face "status")) -}}
{{ $scheme }}://{{ .root.Values.publicAddress }}:{{ include "outrider.port" (dict "port" $port "root" .root) }}
{{- else -}}
{{ $scheme }}://{{ include "outrider.host" . }}
{{- end }}
{{- end }}

{{/* The name that it is asked for by: SNI of its TLSRoute, in its certificate. */}}
{{- define "outrider.host" -}}
{{ (get (get .root.Values.services .name) .face).host }}.{{ .root.Values.domain }}
{{- end }}

{{- define "outrider.trustConfigMap" -}}
{{ default (printf "%s-trust" (include "outrider.fullname" .)) .Values.secrets.trust }}
{{- end }}

{{/* File with what a server's certificate leads to, from `ca` (postgres.ca, nats.ca), `server` and `root`. */}}
{{- define "outrider.serverCa" -}}
{{- if or .ca.configMap .ca.secret }}/run/outrider/{{ .server }}-ca/{{ .ca.key }}{{ else }}/run/outrider/trust/server-trust.pem{{ end }}
{{- end }}

{{- define "outrider.serverCaVolume" -}}
{{- if .ca.configMap }}
- name: {{ .server }}-ca
  configMap: { name: {{ .ca.configMap }} }
{{- else if .ca.secret }}
- name: {{ .server }}-ca
  secret: { secretName: {{ .ca.secret }}, defaultMode: 0440, items: [{ key: {{ .ca.key }}, path: {{ .ca.key }} }] }
{{- end }}
{{- end }}

{{- define "outrider.serverCaMount" -}}
{{- if or .ca.configMap .ca.secret }}
- { name: {{ .server }}-ca, mountPath: /run/outrider/{{ .server }}-ca, readOnly: true }
{{- end }}
{{- end }}

{{/* `restricted` of the Pod Security Standards, for a pod and for each of its containers. */}}
{{- define "outrider.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.pod.userId }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
{{- end }}
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "outrider.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "outrider.terminationGraceSeconds" -}}
{{- with .Values.config.shutdown }}
{{- add 10 (div (add (int .drainDelayMs) (int .finishMs) 999) 1000) }}
{{- end }}
{{- end }}

{{/* What a pod says of where it runs, and of its account. */}}
{{- define "outrider.podPlacement" -}}
serviceAccountName: {{ if .Values.serviceAccount.create }}{{ .account }}{{ else }}default{{ end }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* How the kubelet asks for health, from `path` and the service's dict. */}}
{{- define "outrider.probe" -}}
{{- if eq .root.Values.pod.probes "exec" -}}
exec: { command: [node, healthcheck.mjs, "http://127.0.0.1:{{ include "outrider.port" (dict "port" .facts.http "root" .root) }}{{ .path }}"] }
{{- else -}}
httpGet: { path: {{ .path }}, port: http }
{{- end }}
{{- end }}
