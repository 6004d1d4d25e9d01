{{/*
The configuration of a service: what follows from the chart, then .Values.config, then the service's own `config`; the later wins.
Takes the service's dict (_helpers.tpl).
*/}}
{{- define "outrider.service.config" -}}
{{- $own := printf "outrider.config.%s" .name -}}
{{- $config := include "outrider.config" . | fromYaml -}}
{{- $config = mergeOverwrite $config (include $own . | fromYaml) (deepCopy .root.Values.config) (deepCopy .values.config) -}}
{{- toPrettyJson $config }}
{{- end }}

{{/* Common to all. */}}
{{- define "outrider.config" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $listen := $values.pod.listenAddress -}}
service: {{ .name }}
trustDomain: {{ $values.trustDomain }}
trust:
  fleetRootFile: /run/outrider/trust/fleet-root.crt
  vehicleCaFile: /run/outrider/trust/vehicle-cas.crt
  infrastructureCaFile: /run/outrider/trust/infrastructure-ca.crt
  controlCaFile: /run/outrider/trust/control-ca.crt
identity:
  certificateFile: /run/outrider/identity/tls.crt
  keyFile: /run/outrider/identity/tls.key
listeners:
  http: { host: {{ $listen | quote }}, port: {{ include "outrider.port" (dict "port" .facts.http "root" $root) }} }
  {{- if .facts.operator }}
  operator:
    host: {{ $listen | quote }}
    port: {{ include "outrider.port" (dict "port" .facts.operator "root" $root) }}
    certificateFile: /run/outrider/identity/tls.crt
    keyFile: /run/outrider/identity/tls.key
  {{- end }}
  {{- if .facts.vehicle }}
  {{- $url := include "outrider.url" (dict "root" $root "name" .name "face" "vehicle") }}
  vehicle:
    host: {{ $listen | quote }}
    port: {{ include "outrider.port" (dict "port" .facts.vehicle "root" $root) }}
    certificateFile: /run/outrider/identity/tls.crt
    keyFile: /run/outrider/identity/tls.key
    clientAnchorFiles: [/run/outrider/trust/vehicle-cas.crt]
    publicUrl: {{ $url }}
    dpop:
      nonceKeyFile: /run/outrider/secrets/dpop-nonce
      publicUrls: [{{ $url }}]
    {{- with $values.edges.ids }}
    trustedProxies: {{ toJson . }}
    {{- end }}
  {{- end }}
nats:
  url: {{ toJson $values.nats.url }}
  user: {{ .name }}
  passwordFile: /run/outrider/secrets/nats-{{ .name }}
  {{- if $values.nats.tls }}
  caFile: {{ include "outrider.serverCa" (dict "ca" $values.nats.ca "server" "nats") }}
  {{- end }}
database:
  host: {{ toJson $values.postgres.host }}
  port: {{ $values.postgres.port }}
  name: {{ $values.postgres.database }}
  poolSize: {{ $values.postgres.poolSize }}
  passwordFile: /run/outrider/secrets/postgres-{{ .name }}
  # In the init container alone; the service itself never opens it.
  ownerPasswordFile: /run/outrider/owner/postgres-{{ .name }}-owner
  {{- if $values.postgres.tls }}
  caFile: {{ include "outrider.serverCa" (dict "ca" $values.postgres.ca "server" "postgres") }}
  {{- end }}
tokenIssuer: {{ include "outrider.url" (dict "root" $root "name" "token" "face" "vehicle") }}
{{- end }}

{{/* CRL shards: fleet-ca names one in each certificate, revocation publishes it there. */}}
{{- define "outrider.config.shards" -}}
baseUrl: {{ include "outrider.url" (dict "root" .root "name" "revocation" "face" "status") }}/crl
shardCount: {{ .root.Values.services.revocation.status.shardCount }}
{{- end }}

{{- define "outrider.config.fleet-ca" -}}
authorities:
  manifestFile: /run/outrider/ca/authorities.json
  passphraseFile: /run/outrider/secrets/fleet-ca-passphrase
  {{- with .values.pkcs11 }}
  {{- if .enabled }}
  pkcs11:
    module: {{ .module }}
    tokenLabel: {{ .tokenLabel | quote }}
    pinFile: /run/outrider/pin/{{ .pinKey }}
  {{- end }}
  {{- end }}
crl:
  {{- include "outrider.config.shards" . | nindent 2 }}
ocspUrl: {{ include "outrider.url" (dict "root" .root "name" "revocation" "face" "status") }}/ocsp
{{- end }}

{{- define "outrider.config.provisioning" -}}
manufacturers:
  {{- range .values.manufacturers }}
  - { name: {{ .name }}, caFile: /run/outrider/manufacturers/{{ .name }}.crt }
  {{- else }} []
  {{- end }}
{{- end }}

{{- define "outrider.config.token" -}}
{{- $url := include "outrider.url" (dict "root" .root "name" "token" "face" "operator") -}}
operatorUrl: {{ $url }}
signingKeys:
  encryptionKeyFile: /run/outrider/secrets/token-key-encryption
people:
  webauthn:
    rpId: {{ default (include "outrider.host" (dict "root" .root "name" "token" "face" "operator")) .values.webauthn.rpId }}
    rpName: {{ .values.webauthn.rpName | quote }}
    origins: {{ default (list $url) .values.webauthn.origins | toJson }}
{{- end }}

{{- define "outrider.config.telemetry" -}}
{}
{{- end }}

{{- define "outrider.config.command" -}}
catalogue: { folder: /outrider/catalogue }
{{- end }}

{{- define "outrider.config.revocation" -}}
crl:
  {{- include "outrider.config.shards" . | nindent 2 }}
ocsp:
  infrastructureSigner:
    certificateFile: /run/outrider/secrets/ocsp-signer.crt
    keyFile: /run/outrider/secrets/ocsp-signer.key
{{- end }}

{{- define "outrider.config.gateway" -}}
policies: { folder: /outrider/policies }
{{- with .root.Values.edges }}
{{- if .ids }}
authorization:
  listener:
    host: {{ $.root.Values.pod.listenAddress | quote }}
    port: {{ include "outrider.port" (dict "port" $.facts.edges "root" $.root) }}
    certificateFile: /run/outrider/identity/tls.crt
    keyFile: /run/outrider/identity/tls.key
  edges: {{ toJson .ids }}
  apisFolder: /run/outrider/apis
  dpopNonceKeyFile: /run/outrider/secrets/dpop-nonce
  limits: {{ toJson .limits }}
{{- end }}
{{- end }}
{{- end }}
