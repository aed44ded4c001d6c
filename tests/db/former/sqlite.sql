-- The tables of revision 0005 on SQLite, as the five former migrations made them.
CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE audit_entry (
  id INTEGER NOT NULL,
  at DATETIME NOT NULL,
  staff_id CHAR(32),
  actor VARCHAR(254) NOT NULL,
  act VARCHAR(64) NOT NULL,
  subject VARCHAR(300) NOT NULL,
  address VARCHAR(64) NOT NULL,
  CONSTRAINT pk_audit_entry PRIMARY KEY (id)
);
CREATE INDEX ix_audit_entry_act_id ON audit_entry (act, id);
CREATE TABLE staff (
  id CHAR(32) NOT NULL,
  email VARCHAR(254) NOT NULL,
  role VARCHAR(32) NOT NULL,
  password_hash VARCHAR(255) NOT NULL,
  session_epoch INTEGER NOT NULL,
  created_at DATETIME NOT NULL,
  last_sign_in_at DATETIME,
  disabled_at DATETIME,
  CONSTRAINT pk_staff PRIMARY KEY (id),
  CONSTRAINT uq_staff_email UNIQUE (email),
  CONSTRAINT ck_staff_role CHECK (role IN ('admin', 'support'))
);
CREATE TABLE throttle (
  "key" VARCHAR(64) NOT NULL,
  tries INTEGER NOT NULL,
  window_at DATETIME NOT NULL,
  CONSTRAINT pk_throttle PRIMARY KEY ("key")
);
CREATE TABLE vault_check (
  id INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  CONSTRAINT pk_vault_check PRIMARY KEY (id)
);
CREATE TABLE workspace (
  id CHAR(32) NOT NULL,
  name VARCHAR(80) NOT NULL,
  region VARCHAR(32) NOT NULL,
  api_key BLOB NOT NULL,
  api_key_print VARCHAR(8) NOT NULL,
  api_key_length INTEGER NOT NULL,
  api_key_set_at DATETIME NOT NULL,
  verification_secret BLOB,
  verdict VARCHAR(32) NOT NULL,
  verdict_reason VARCHAR(300) NOT NULL,
  checked_at DATETIME,
  created_at DATETIME NOT NULL, verification_secret_print VARCHAR(8) DEFAULT '' NOT NULL, verification_secret_length INTEGER DEFAULT '0' NOT NULL, verification_secret_set_at DATETIME, requires_signature BOOLEAN DEFAULT 0 NOT NULL, mappings_due_at DATETIME, mappings_seen_at DATETIME,
  CONSTRAINT pk_workspace PRIMARY KEY (id),
  CONSTRAINT ck_workspace_verdict CHECK (verdict IN ('right', 'wrong', 'unknown'))
);
CREATE TABLE zoom_app (
  id CHAR(32) NOT NULL,
  name VARCHAR(80) NOT NULL,
  environment VARCHAR(32) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  scope_style VARCHAR(32) NOT NULL,
  routing VARCHAR(32) NOT NULL,
  token_custody VARCHAR(32) NOT NULL,
  client_id VARCHAR(200) NOT NULL,
  client_secret BLOB NOT NULL,
  client_secret_print VARCHAR(8) NOT NULL,
  client_secret_length INTEGER NOT NULL,
  client_secret_set_at DATETIME NOT NULL,
  secret_token BLOB NOT NULL,
  secret_token_print VARCHAR(8) NOT NULL,
  secret_token_length INTEGER NOT NULL,
  secret_token_set_at DATETIME NOT NULL,
  previous_secret_token BLOB,
  verdict VARCHAR(32) NOT NULL,
  verdict_reason VARCHAR(300) NOT NULL,
  checked_at DATETIME,
  slug VARCHAR(64) NOT NULL,
  workspace_id CHAR(32),
  recall_app_id CHAR(32),
  recall_created_at DATETIME,
  create_key VARCHAR(64),
  version INTEGER NOT NULL,
  created_at DATETIME NOT NULL, rotation_until DATETIME, retired_at DATETIME, subscription_checked_at DATETIME, succeeds_id CHAR(32), subscription_id VARCHAR(64), subscription_state VARCHAR(32) DEFAULT '' NOT NULL, subscription_reason VARCHAR(300) DEFAULT '' NOT NULL,
  CONSTRAINT pk_zoom_app PRIMARY KEY (id),
  CONSTRAINT fk_zoom_app_workspace_id_workspace FOREIGN KEY(workspace_id) REFERENCES workspace (id),
  CONSTRAINT uq_zoom_app_client_id UNIQUE (client_id),
  CONSTRAINT uq_zoom_app_recall_app_id UNIQUE (recall_app_id),
  CONSTRAINT uq_zoom_app_slug UNIQUE (slug),
  CONSTRAINT ck_zoom_app_environment CHECK (environment IN ('development', 'production')),
  CONSTRAINT ck_zoom_app_kind CHECK (kind IN ('user_level', 'account_level')),
  CONSTRAINT ck_zoom_app_scopestyle CHECK (scope_style IN ('granular', 'legacy')),
  CONSTRAINT ck_zoom_app_routing CHECK (routing IN ('relay', 'direct')),
  CONSTRAINT ck_zoom_app_tokencustody CHECK (token_custody IN ('recall', 'dashboard')),
  CONSTRAINT ck_zoom_app_verdict CHECK (verdict IN ('right', 'wrong', 'unknown'))
);
CREATE TABLE connection (
  id CHAR(32) NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  recall_credential_id CHAR(32),
  zoom_user_id VARCHAR(64),
  zoom_account_id VARCHAR(64),
  display_name VARCHAR(200) NOT NULL,
  email VARCHAR(254) NOT NULL,
  pmi INTEGER,
  previous_pmi INTEGER,
  pmi_changed_at DATETIME,
  scopes VARCHAR(4000),
  token_state VARCHAR(32) NOT NULL,
  token_reason VARCHAR(500) NOT NULL,
  token_evidence VARCHAR(300) NOT NULL,
  token_checked_at DATETIME,
  token_expires_at DATETIME,
  sync_status VARCHAR(32) NOT NULL,
  connected_at DATETIME NOT NULL,
  reconnected_at DATETIME,
  due_at DATETIME NOT NULL,
  lease_until DATETIME,
  claim INTEGER NOT NULL, pmi_changed_by VARCHAR(40) DEFAULT '' NOT NULL, pmi_seen_at DATETIME, profile_seen_at DATETIME, deauthorized_at DATETIME, token_custody VARCHAR(32) DEFAULT 'recall' NOT NULL, search_text VARCHAR(460) DEFAULT '' NOT NULL, recall_status VARCHAR(16) DEFAULT '' NOT NULL, recording_block VARCHAR(200) DEFAULT '' NOT NULL, recording_block_at DATETIME,
  CONSTRAINT pk_connection PRIMARY KEY (id),
  CONSTRAINT fk_connection_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id),
  CONSTRAINT uq_connection_recall_credential_id UNIQUE (recall_credential_id),
  CONSTRAINT uq_connection_zoom_app_id_zoom_user_id UNIQUE (zoom_app_id, zoom_user_id),
  CONSTRAINT ck_connection_tokenstate CHECK (token_state IN ('healthy', 'expiring', 'missing_scopes', 'reconnect_needed', 'unhealthy_in_recall', 'unknown')),
  CONSTRAINT ck_connection_syncstatus CHECK (sync_status IN ('unknown', 'not_started', 'in_progress', 'completed', 'failed'))
);
CREATE INDEX ix_connection_connected_at_id ON connection (connected_at, id);
CREATE INDEX ix_connection_display_name_id ON connection (display_name, id);
CREATE INDEX ix_connection_due_at ON connection (due_at);
CREATE INDEX ix_connection_email ON connection (email);
CREATE INDEX ix_connection_pmi ON connection (pmi);
CREATE INDEX ix_connection_zoom_account_id ON connection (zoom_account_id);
CREATE INDEX ix_connection_zoom_user_id ON connection (zoom_user_id);
CREATE TABLE refusal (
  id INTEGER NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  cause VARCHAR(32) NOT NULL,
  detail VARCHAR(500) NOT NULL,
  status INTEGER NOT NULL,
  body_bytes INTEGER NOT NULL,
  user_agent VARCHAR(120) NOT NULL,
  address VARCHAR(64) NOT NULL,
  received_at DATETIME NOT NULL,
  CONSTRAINT pk_refusal PRIMARY KEY (id),
  CONSTRAINT fk_refusal_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id)
);
CREATE INDEX ix_refusal_zoom_app_id_id ON refusal (zoom_app_id, id);
CREATE TABLE refusal_count (
  id INTEGER NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  cause VARCHAR(32) NOT NULL,
  hour_at DATETIME NOT NULL,
  requests INTEGER NOT NULL,
  CONSTRAINT pk_refusal_count PRIMARY KEY (id),
  CONSTRAINT fk_refusal_count_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id),
  CONSTRAINT uq_refusal_count_zoom_app_id_cause_hour_at UNIQUE (zoom_app_id, cause, hour_at)
);
CREATE TABLE webhook (
  id INTEGER NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  dedupe BLOB NOT NULL,
  event VARCHAR(80) NOT NULL,
  event_ts INTEGER,
  sent_at_s INTEGER NOT NULL,
  verdict VARCHAR(16) NOT NULL,
  zoom_user_id VARCHAR(64),
  zoom_account_id VARCHAR(64),
  meeting_id INTEGER,
  body_bytes INTEGER NOT NULL,
  body_sha256 VARCHAR(64) NOT NULL,
  received_at DATETIME NOT NULL,
  arrivals INTEGER NOT NULL,
  answered_ms FLOAT NOT NULL,
  outcome VARCHAR(32) NOT NULL,
  outcome_reason VARCHAR(500) NOT NULL,
  attempts INTEGER NOT NULL,
  due_at DATETIME NOT NULL,
  lease_until DATETIME,
  claim INTEGER NOT NULL,
  delivered_at DATETIME, is_unread BOOLEAN DEFAULT 0 NOT NULL, erased_at DATETIME,
  CONSTRAINT pk_webhook PRIMARY KEY (id),
  CONSTRAINT fk_webhook_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id),
  CONSTRAINT uq_webhook_dedupe UNIQUE (dedupe),
  CONSTRAINT ck_webhook_outcome CHECK (outcome IN ('waiting', 'delivered', 'dead', 'kept'))
);
CREATE INDEX ix_webhook_event_id ON webhook (event, id);
CREATE INDEX ix_webhook_meeting_id_id ON webhook (meeting_id, id);
CREATE INDEX ix_webhook_outcome_id ON webhook (outcome, id);
CREATE INDEX ix_webhook_zoom_app_id_id ON webhook (zoom_app_id, id);
CREATE INDEX ix_webhook_zoom_user_id_id ON webhook (zoom_user_id, id);
CREATE TABLE arrival (
  id INTEGER NOT NULL,
  webhook_id INTEGER NOT NULL,
  sent_at_s INTEGER NOT NULL,
  received_at DATETIME NOT NULL,
  CONSTRAINT pk_arrival PRIMARY KEY (id),
  CONSTRAINT fk_arrival_webhook_id_webhook FOREIGN KEY(webhook_id) REFERENCES webhook (id) ON DELETE CASCADE
);
CREATE INDEX ix_arrival_webhook_id ON arrival (webhook_id);
CREATE TABLE attempt (
  id INTEGER NOT NULL,
  webhook_id INTEGER NOT NULL,
  started_at DATETIME NOT NULL,
  latency_ms FLOAT NOT NULL,
  status INTEGER,
  answer VARCHAR(2048) NOT NULL,
  verdict VARCHAR(500) NOT NULL,
  sent_sha256 VARCHAR(64) NOT NULL, redelivery_id INTEGER, claim INTEGER DEFAULT '0' NOT NULL, worker VARCHAR(80) DEFAULT '' NOT NULL, sent_bytes INTEGER DEFAULT '0' NOT NULL, headers_passed VARCHAR(300) DEFAULT '' NOT NULL,
  CONSTRAINT pk_attempt PRIMARY KEY (id),
  CONSTRAINT fk_attempt_webhook_id_webhook FOREIGN KEY(webhook_id) REFERENCES webhook (id) ON DELETE CASCADE
);
CREATE INDEX ix_attempt_webhook_id ON attempt (webhook_id);
CREATE TABLE meeting_mapping (
  id INTEGER NOT NULL,
  connection_id CHAR(32) NOT NULL,
  meeting_id INTEGER NOT NULL,
  synced_at DATETIME NOT NULL,
  seen_at DATETIME NOT NULL,
  CONSTRAINT pk_meeting_mapping PRIMARY KEY (id),
  CONSTRAINT fk_meeting_mapping_connection_id_connection FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE CASCADE,
  CONSTRAINT uq_meeting_mapping_connection_id_meeting_id UNIQUE (connection_id, meeting_id)
);
CREATE INDEX ix_meeting_mapping_meeting_id ON meeting_mapping (meeting_id);
CREATE TABLE webhook_body (
  webhook_id INTEGER NOT NULL,
  headers BLOB NOT NULL,
  body BLOB NOT NULL,
  CONSTRAINT pk_webhook_body PRIMARY KEY (webhook_id),
  CONSTRAINT fk_webhook_body_webhook_id_webhook FOREIGN KEY(webhook_id) REFERENCES webhook (id) ON DELETE CASCADE
);
CREATE TABLE hold (
  id CHAR(32) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  failures INTEGER NOT NULL,
  is_holding BOOLEAN NOT NULL,
  reason VARCHAR(500) NOT NULL,
  status INTEGER,
  since DATETIME NOT NULL,
  probe_at DATETIME NOT NULL,
  probes INTEGER NOT NULL,
  CONSTRAINT pk_hold PRIMARY KEY (id),
  CONSTRAINT ck_hold_holdkind CHECK (kind IN ('workspace', 'zoom_app'))
);
CREATE TABLE resend (
  id INTEGER NOT NULL,
  asked_by VARCHAR(254) NOT NULL,
  "query" VARCHAR(1000) NOT NULL,
  asked_at DATETIME NOT NULL,
  state VARCHAR(32) NOT NULL,
  expected INTEGER NOT NULL,
  total INTEGER NOT NULL,
  gathered_below INTEGER,
  ended_at DATETIME,
  CONSTRAINT pk_resend PRIMARY KEY (id),
  CONSTRAINT ck_resend_resendstate CHECK (state IN ('gathering', 'sending', 'done', 'cancelled'))
);
CREATE INDEX ix_resend_state ON resend (state);
CREATE TABLE redelivery (
  id INTEGER NOT NULL,
  resend_id INTEGER NOT NULL,
  webhook_id INTEGER NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  outcome VARCHAR(32) NOT NULL,
  outcome_reason VARCHAR(500) NOT NULL,
  attempts INTEGER NOT NULL,
  due_at DATETIME NOT NULL,
  lease_until DATETIME,
  claim INTEGER NOT NULL,
  ended_at DATETIME,
  CONSTRAINT pk_redelivery PRIMARY KEY (id),
  CONSTRAINT fk_redelivery_resend_id_resend FOREIGN KEY(resend_id) REFERENCES resend (id) ON DELETE CASCADE,
  CONSTRAINT fk_redelivery_webhook_id_webhook FOREIGN KEY(webhook_id) REFERENCES webhook (id) ON DELETE CASCADE,
  CONSTRAINT fk_redelivery_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id),
  CONSTRAINT uq_redelivery_resend_id_webhook_id UNIQUE (resend_id, webhook_id),
  CONSTRAINT ck_redelivery_redeliveryoutcome CHECK (outcome IN ('waiting', 'delivered', 'dead', 'cancelled'))
);
CREATE INDEX ix_redelivery_due_at ON redelivery (zoom_app_id, due_at) WHERE outcome = 'waiting';
CREATE INDEX ix_redelivery_resend_id_outcome ON redelivery (resend_id, outcome);
CREATE INDEX ix_redelivery_webhook_id ON redelivery (webhook_id);
CREATE INDEX ix_webhook_due_at ON webhook (zoom_app_id, due_at) WHERE outcome = 'waiting';
CREATE INDEX ix_webhook_unread ON webhook (id) WHERE is_unread;
CREATE INDEX ix_webhook_dead ON webhook (zoom_app_id, id) WHERE outcome = 'dead';
CREATE INDEX ix_webhook_zoom_account_id_id ON webhook (zoom_account_id, id);
CREATE TABLE "validation_check" (
  id INTEGER NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  source VARCHAR(32) NOT NULL,
  finding VARCHAR(32) NOT NULL,
  detail VARCHAR(300) NOT NULL,
  took_ms FLOAT,
  webhook_id INTEGER,
  at DATETIME NOT NULL, told_at DATETIME,
  CONSTRAINT pk_validation_check PRIMARY KEY (id),
  CONSTRAINT ck_validation_check_source CHECK (source IN ('zoom_challenge', 'zoom_event', 'recall_challenge', 'recall_probe', 'recall_api', 'outside_probe', 'recall_log')),
  CONSTRAINT fk_validation_check_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id),
  CONSTRAINT ck_validation_check_finding CHECK (finding IN ('good', 'secret_mismatch', 'failed', 'not_seen', 'gone', 'noted'))
);
CREATE INDEX ix_validation_check_zoom_app_id_source_id ON validation_check (zoom_app_id, source, id);
CREATE TABLE watch (
  zoom_app_id CHAR(32) NOT NULL,
  watched_until DATETIME,
  poll_due_at DATETIME NOT NULL,
  polled_at DATETIME,
  log_due_at DATETIME NOT NULL,
  log_seen_at DATETIME,
  probe_due_at DATETIME NOT NULL,
  failures INTEGER NOT NULL,
  claimed_until DATETIME,
  claim INTEGER NOT NULL, unhealthy_due_at DATETIME,
  CONSTRAINT pk_watch PRIMARY KEY (zoom_app_id),
  CONSTRAINT fk_watch_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id)
);
CREATE TABLE heard_hour (
  zoom_app_id CHAR(32) NOT NULL,
  hour DATETIME NOT NULL,
  events INTEGER NOT NULL,
  CONSTRAINT pk_heard_hour PRIMARY KEY (zoom_app_id, hour),
  CONSTRAINT fk_heard_hour_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id)
);
CREATE TABLE milestone (
  zoom_app_id CHAR(32) NOT NULL,
  "key" VARCHAR(32) NOT NULL,
  at DATETIME NOT NULL,
  proof VARCHAR(300) NOT NULL,
  webhook_id INTEGER,
  connection_id CHAR(32),
  CONSTRAINT pk_milestone PRIMARY KEY (zoom_app_id, "key"),
  CONSTRAINT fk_milestone_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id)
);
CREATE TABLE secret_change (
  id INTEGER NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  asked_by VARCHAR(254) NOT NULL,
  has_client_secret BOOLEAN NOT NULL,
  has_secret_token BOOLEAN NOT NULL,
  stored_at DATETIME NOT NULL,
  recall_at DATETIME,
  recall_error VARCHAR(300) NOT NULL,
  recall_due_at DATETIME,
  zoom_seen_at DATETIME,
  previous_until DATETIME,
  ended_at DATETIME,
  CONSTRAINT pk_secret_change PRIMARY KEY (id),
  CONSTRAINT fk_secret_change_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id)
);
CREATE INDEX ix_secret_change_zoom_app_id_id ON secret_change (zoom_app_id, id);
CREATE TABLE rate_slot (
  scope VARCHAR(80) NOT NULL,
  operation VARCHAR(40) NOT NULL,
  slot INTEGER NOT NULL,
  used INTEGER NOT NULL,
  CONSTRAINT pk_rate_slot PRIMARY KEY (scope, operation, slot)
);
CREATE TABLE rate_pause (
  scope VARCHAR(80) NOT NULL,
  operation VARCHAR(40) NOT NULL,
  said_at DATETIME NOT NULL,
  until DATETIME NOT NULL,
  CONSTRAINT pk_rate_pause PRIMARY KEY (scope, operation)
);
CREATE TABLE "connect_attempt" (
  id CHAR(32) NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  connection_id CHAR(32),
  state_hash VARCHAR(64) NOT NULL,
  browser_hash VARCHAR(64) NOT NULL,
  code_verifier BLOB,
  outcome VARCHAR(32) NOT NULL,
  detail VARCHAR(500) NOT NULL,
  created_at DATETIME NOT NULL,
  expires_at DATETIME NOT NULL,
  ended_at DATETIME, invitation_id CHAR(32),
  CONSTRAINT pk_connect_attempt PRIMARY KEY (id),
  CONSTRAINT fk_connect_attempt_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id),
  CONSTRAINT uq_connect_attempt_state_hash UNIQUE (state_hash),
  CONSTRAINT fk_connect_attempt_connection_id_connection FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE SET NULL,
  CONSTRAINT ck_connect_attempt_attemptoutcome CHECK (outcome IN ('open', 'connected', 'declined', 'expired', 'replayed', 'refused_by_recall', 'unreachable', 'zoom_error', 'abandoned', 'wrong_account', 'begun_at_zoom', 'refused_by_zoom'))
);
CREATE INDEX ix_connect_attempt_outcome_expires_at ON connect_attempt (outcome, expires_at);
CREATE INDEX ix_connect_attempt_connection_id ON connect_attempt (connection_id);
CREATE INDEX ix_connection_previous_pmi ON connection (previous_pmi);
CREATE INDEX ix_connection_token_checked_at ON connection (token_checked_at);
CREATE INDEX ix_connection_token_state_connected_at_id ON connection (token_state, connected_at, id);
CREATE INDEX ix_connection_zoom_app_id_connected_at_id ON connection (zoom_app_id, connected_at, id);
CREATE INDEX ix_connection_search_text_connected_at_id ON connection (search_text, connected_at, id);
CREATE INDEX ix_connect_attempt_invitation_id ON connect_attempt (invitation_id);
CREATE INDEX ix_connect_attempt_browser_hash ON connect_attempt (browser_hash);
CREATE INDEX ix_connect_attempt_zoom_app_id_created_at_id ON connect_attempt (zoom_app_id, created_at, id);
CREATE TABLE held_grant (
  connection_id CHAR(32) NOT NULL,
  key_hash VARCHAR(64) NOT NULL,
  access_token BLOB NOT NULL,
  refresh_token BLOB NOT NULL,
  version INTEGER NOT NULL,
  expires_at DATETIME NOT NULL,
  obtained_at DATETIME NOT NULL,
  refresh_due_at DATETIME NOT NULL,
  asked_at DATETIME,
  lease_until DATETIME,
  claim INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  failed_at DATETIME,
  failure VARCHAR(300) DEFAULT '' NOT NULL,
  lost_at DATETIME,
  served_at DATETIME,
  unsigned_at DATETIME,
  CONSTRAINT pk_held_grant PRIMARY KEY (connection_id),
  CONSTRAINT fk_held_grant_connection_id_connection FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE CASCADE,
  CONSTRAINT uq_held_grant_key_hash UNIQUE (key_hash)
);
CREATE INDEX ix_held_grant_refresh_due_at ON held_grant (refresh_due_at);
CREATE TABLE invitation (
  id CHAR(32) NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  connection_id CHAR(32),
  zoom_user_id VARCHAR(64),
  token_hash VARCHAR(64) NOT NULL,
  user_ref VARCHAR(200) DEFAULT '' NOT NULL,
  email VARCHAR(254) DEFAULT '' NOT NULL,
  state VARCHAR(32) NOT NULL,
  made_by VARCHAR(254) DEFAULT '' NOT NULL,
  tried_as VARCHAR(254) DEFAULT '' NOT NULL,
  created_at DATETIME NOT NULL,
  expires_at DATETIME NOT NULL,
  opened_at DATETIME,
  ended_at DATETIME,
  CONSTRAINT pk_invitation PRIMARY KEY (id),
  CONSTRAINT fk_invitation_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id),
  CONSTRAINT fk_invitation_connection_id_connection FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE SET NULL,
  CONSTRAINT uq_invitation_token_hash UNIQUE (token_hash),
  CONSTRAINT ck_invitation_invitationstate CHECK (state IN ('made', 'opened', 'declined', 'wrong_account', 'done', 'expired', 'revoked'))
);
CREATE INDEX ix_invitation_zoom_app_id_created_at_id ON invitation (zoom_app_id, created_at, id);
CREATE INDEX ix_invitation_state_expires_at ON invitation (state, expires_at);
CREATE INDEX ix_invitation_connection_id ON invitation (connection_id);
CREATE INDEX ix_invitation_zoom_user_id ON invitation (zoom_user_id);
CREATE INDEX ix_invitation_user_ref ON invitation (user_ref);
CREATE INDEX ix_invitation_email ON invitation (email);
CREATE TABLE page_design (
  zoom_app_id CHAR(32) NOT NULL,
  organisation VARCHAR(80) DEFAULT '' NOT NULL,
  intro VARCHAR(2000) DEFAULT '' NOT NULL,
  contact VARCHAR(200) DEFAULT '' NOT NULL,
  logo BLOB,
  logo_type VARCHAR(40) DEFAULT '' NOT NULL,
  logo_print VARCHAR(16) DEFAULT '' NOT NULL,
  changed_at DATETIME NOT NULL,
  CONSTRAINT pk_page_design PRIMARY KEY (zoom_app_id),
  CONSTRAINT fk_page_design_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id) ON DELETE CASCADE
);
CREATE TABLE account_member (
  connection_id CHAR(32) NOT NULL,
  zoom_user_id VARCHAR(64) NOT NULL,
  display_name VARCHAR(200) DEFAULT '' NOT NULL,
  email VARCHAR(254) DEFAULT '' NOT NULL,
  pmi INTEGER,
  previous_pmi INTEGER,
  pmi_changed_at DATETIME,
  status VARCHAR(20) DEFAULT '' NOT NULL,
  seen_at DATETIME NOT NULL,
  CONSTRAINT pk_account_member PRIMARY KEY (connection_id, zoom_user_id),
  CONSTRAINT fk_account_member_connection_id_connection FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE CASCADE
);
CREATE INDEX ix_account_member_zoom_user_id ON account_member (zoom_user_id);
CREATE INDEX ix_account_member_email ON account_member (email);
CREATE INDEX ix_account_member_pmi ON account_member (pmi);
CREATE INDEX ix_account_member_previous_pmi ON account_member (previous_pmi);
CREATE TABLE connection_event (
  id INTEGER NOT NULL,
  connection_id CHAR(32) NOT NULL,
  at DATETIME NOT NULL,
  source VARCHAR(16) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  words VARCHAR(500) NOT NULL,
  mark VARCHAR(64),
  CONSTRAINT pk_connection_event PRIMARY KEY (id),
  CONSTRAINT fk_connection_event_connection_id_connection FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE CASCADE,
  CONSTRAINT uq_connection_event_connection_id_mark UNIQUE (connection_id, mark)
);
CREATE INDEX ix_connection_event_connection_id_at_id ON connection_event (connection_id, at, id);
CREATE TABLE erasure (
  id CHAR(32) NOT NULL,
  zoom_app_id CHAR(32) NOT NULL,
  zoom_user_id BLOB,
  zoom_account_id BLOB,
  email BLOB,
  recall_credential_id CHAR(32),
  removed_at DATETIME NOT NULL,
  deadline_at DATETIME NOT NULL,
  recall_done_at DATETIME,
  here_done_at DATETIME,
  ended_at DATETIME,
  trouble VARCHAR(300) DEFAULT '' NOT NULL,
  due_at DATETIME NOT NULL,
  lease_until DATETIME,
  claim INTEGER NOT NULL,
  CONSTRAINT pk_erasure PRIMARY KEY (id),
  CONSTRAINT fk_erasure_zoom_app_id_zoom_app FOREIGN KEY(zoom_app_id) REFERENCES zoom_app (id)
);
CREATE INDEX ix_erasure_zoom_app_id ON erasure (zoom_app_id);
CREATE INDEX ix_erasure_ended_at_due_at ON erasure (ended_at, due_at);
INSERT INTO alembic_version VALUES ('0005');
