-- The tables of revision 0005 on PostgreSQL, as the five former migrations made them.
CREATE TABLE account_member (
    connection_id uuid NOT NULL,
    zoom_user_id character varying(64) NOT NULL,
    display_name character varying(200) DEFAULT ''::character varying NOT NULL,
    email character varying(254) DEFAULT ''::character varying NOT NULL,
    pmi bigint,
    previous_pmi bigint,
    pmi_changed_at timestamp with time zone,
    status character varying(20) DEFAULT ''::character varying NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE arrival (
    id bigint NOT NULL,
    webhook_id bigint NOT NULL,
    sent_at_s bigint NOT NULL,
    received_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE arrival_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE arrival_id_seq OWNED BY arrival.id;
CREATE TABLE attempt (
    id bigint NOT NULL,
    webhook_id bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    latency_ms double precision NOT NULL,
    status integer,
    answer character varying(2048) NOT NULL,
    verdict character varying(500) NOT NULL,
    sent_sha256 character varying(64) NOT NULL,
    redelivery_id bigint,
    claim integer DEFAULT 0 NOT NULL,
    worker character varying(80) DEFAULT ''::character varying NOT NULL,
    sent_bytes integer DEFAULT 0 NOT NULL,
    headers_passed character varying(300) DEFAULT ''::character varying NOT NULL
);
CREATE SEQUENCE attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE attempt_id_seq OWNED BY attempt.id;
CREATE TABLE audit_entry (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    staff_id uuid,
    actor character varying(254) NOT NULL,
    act character varying(64) NOT NULL,
    subject character varying(300) NOT NULL,
    address character varying(64) NOT NULL
);
CREATE SEQUENCE audit_entry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE audit_entry_id_seq OWNED BY audit_entry.id;
CREATE TABLE connect_attempt (
    id uuid NOT NULL,
    zoom_app_id uuid NOT NULL,
    connection_id uuid,
    state_hash character varying(64) NOT NULL,
    browser_hash character varying(64) NOT NULL,
    code_verifier bytea,
    outcome character varying(32) NOT NULL,
    detail character varying(500) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    invitation_id uuid,
    CONSTRAINT ck_connect_attempt_attemptoutcome CHECK (((outcome)::text = ANY ((ARRAY['open'::character varying, 'connected'::character varying, 'declined'::character varying, 'expired'::character varying, 'replayed'::character varying, 'refused_by_recall'::character varying, 'unreachable'::character varying, 'zoom_error'::character varying, 'abandoned'::character varying, 'wrong_account'::character varying, 'begun_at_zoom'::character varying, 'refused_by_zoom'::character varying])::text[])))
);
CREATE TABLE connection (
    id uuid NOT NULL,
    zoom_app_id uuid NOT NULL,
    recall_credential_id uuid,
    zoom_user_id character varying(64),
    zoom_account_id character varying(64),
    display_name character varying(200) NOT NULL,
    email character varying(254) NOT NULL,
    pmi bigint,
    previous_pmi bigint,
    pmi_changed_at timestamp with time zone,
    scopes character varying(4000),
    token_state character varying(32) NOT NULL,
    token_reason character varying(500) NOT NULL,
    token_evidence character varying(300) NOT NULL,
    token_checked_at timestamp with time zone,
    token_expires_at timestamp with time zone,
    sync_status character varying(32) NOT NULL,
    connected_at timestamp with time zone NOT NULL,
    reconnected_at timestamp with time zone,
    due_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone,
    claim integer NOT NULL,
    pmi_changed_by character varying(40) DEFAULT ''::character varying NOT NULL,
    pmi_seen_at timestamp with time zone,
    profile_seen_at timestamp with time zone,
    deauthorized_at timestamp with time zone,
    token_custody character varying(32) DEFAULT 'recall'::character varying NOT NULL,
    search_text character varying(460) DEFAULT ''::character varying NOT NULL,
    recall_status character varying(16) DEFAULT ''::character varying NOT NULL,
    recording_block character varying(200) DEFAULT ''::character varying NOT NULL,
    recording_block_at timestamp with time zone,
    CONSTRAINT ck_connection_syncstatus CHECK (((sync_status)::text = ANY ((ARRAY['unknown'::character varying, 'not_started'::character varying, 'in_progress'::character varying, 'completed'::character varying, 'failed'::character varying])::text[]))),
    CONSTRAINT ck_connection_tokenstate CHECK (((token_state)::text = ANY ((ARRAY['healthy'::character varying, 'expiring'::character varying, 'missing_scopes'::character varying, 'reconnect_needed'::character varying, 'unhealthy_in_recall'::character varying, 'unknown'::character varying])::text[])))
);
CREATE TABLE connection_event (
    id bigint NOT NULL,
    connection_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    source character varying(16) NOT NULL,
    kind character varying(16) NOT NULL,
    words character varying(500) NOT NULL,
    mark character varying(64)
);
CREATE SEQUENCE connection_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE connection_event_id_seq OWNED BY connection_event.id;
CREATE TABLE erasure (
    id uuid NOT NULL,
    zoom_app_id uuid NOT NULL,
    zoom_user_id bytea,
    zoom_account_id bytea,
    email bytea,
    recall_credential_id uuid,
    removed_at timestamp with time zone NOT NULL,
    deadline_at timestamp with time zone NOT NULL,
    recall_done_at timestamp with time zone,
    here_done_at timestamp with time zone,
    ended_at timestamp with time zone,
    trouble character varying(300) DEFAULT ''::character varying NOT NULL,
    due_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone,
    claim integer NOT NULL
);
CREATE TABLE heard_hour (
    zoom_app_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    events integer NOT NULL
);
CREATE TABLE held_grant (
    connection_id uuid NOT NULL,
    key_hash character varying(64) NOT NULL,
    access_token bytea NOT NULL,
    refresh_token bytea NOT NULL,
    version integer NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    obtained_at timestamp with time zone NOT NULL,
    refresh_due_at timestamp with time zone NOT NULL,
    asked_at timestamp with time zone,
    lease_until timestamp with time zone,
    claim integer NOT NULL,
    failures integer NOT NULL,
    failed_at timestamp with time zone,
    failure character varying(300) DEFAULT ''::character varying NOT NULL,
    lost_at timestamp with time zone,
    served_at timestamp with time zone,
    unsigned_at timestamp with time zone
);
CREATE TABLE hold (
    id uuid NOT NULL,
    kind character varying(32) NOT NULL,
    failures integer NOT NULL,
    is_holding boolean NOT NULL,
    reason character varying(500) NOT NULL,
    status integer,
    since timestamp with time zone NOT NULL,
    probe_at timestamp with time zone NOT NULL,
    probes integer NOT NULL,
    CONSTRAINT ck_hold_holdkind CHECK (((kind)::text = ANY ((ARRAY['workspace'::character varying, 'zoom_app'::character varying])::text[])))
);
CREATE TABLE invitation (
    id uuid NOT NULL,
    zoom_app_id uuid NOT NULL,
    connection_id uuid,
    zoom_user_id character varying(64),
    token_hash character varying(64) NOT NULL,
    user_ref character varying(200) DEFAULT ''::character varying NOT NULL,
    email character varying(254) DEFAULT ''::character varying NOT NULL,
    state character varying(32) NOT NULL,
    made_by character varying(254) DEFAULT ''::character varying NOT NULL,
    tried_as character varying(254) DEFAULT ''::character varying NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    opened_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT ck_invitation_invitationstate CHECK (((state)::text = ANY ((ARRAY['made'::character varying, 'opened'::character varying, 'declined'::character varying, 'wrong_account'::character varying, 'done'::character varying, 'expired'::character varying, 'revoked'::character varying])::text[])))
);
CREATE TABLE meeting_mapping (
    id bigint NOT NULL,
    connection_id uuid NOT NULL,
    meeting_id bigint NOT NULL,
    synced_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE meeting_mapping_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE meeting_mapping_id_seq OWNED BY meeting_mapping.id;
CREATE TABLE milestone (
    zoom_app_id uuid NOT NULL,
    key character varying(32) NOT NULL,
    at timestamp with time zone NOT NULL,
    proof character varying(300) NOT NULL,
    webhook_id bigint,
    connection_id uuid
);
CREATE TABLE page_design (
    zoom_app_id uuid NOT NULL,
    organisation character varying(80) DEFAULT ''::character varying NOT NULL,
    intro character varying(2000) DEFAULT ''::character varying NOT NULL,
    contact character varying(200) DEFAULT ''::character varying NOT NULL,
    logo bytea,
    logo_type character varying(40) DEFAULT ''::character varying NOT NULL,
    logo_print character varying(16) DEFAULT ''::character varying NOT NULL,
    changed_at timestamp with time zone NOT NULL
);
CREATE TABLE rate_pause (
    scope character varying(80) NOT NULL,
    operation character varying(40) NOT NULL,
    said_at timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL
);
CREATE TABLE rate_slot (
    scope character varying(80) NOT NULL,
    operation character varying(40) NOT NULL,
    slot bigint NOT NULL,
    used integer NOT NULL
);
CREATE TABLE redelivery (
    id bigint NOT NULL,
    resend_id bigint NOT NULL,
    webhook_id bigint NOT NULL,
    zoom_app_id uuid NOT NULL,
    outcome character varying(32) NOT NULL,
    outcome_reason character varying(500) NOT NULL,
    attempts integer NOT NULL,
    due_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone,
    claim integer NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT ck_redelivery_redeliveryoutcome CHECK (((outcome)::text = ANY ((ARRAY['waiting'::character varying, 'delivered'::character varying, 'dead'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE SEQUENCE redelivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE redelivery_id_seq OWNED BY redelivery.id;
CREATE TABLE refusal (
    id bigint NOT NULL,
    zoom_app_id uuid NOT NULL,
    cause character varying(32) NOT NULL,
    detail character varying(500) NOT NULL,
    status integer NOT NULL,
    body_bytes integer NOT NULL,
    user_agent character varying(120) NOT NULL,
    address character varying(64) NOT NULL,
    received_at timestamp with time zone NOT NULL
);
CREATE TABLE refusal_count (
    id bigint NOT NULL,
    zoom_app_id uuid NOT NULL,
    cause character varying(32) NOT NULL,
    hour_at timestamp with time zone NOT NULL,
    requests integer NOT NULL
);
CREATE SEQUENCE refusal_count_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE refusal_count_id_seq OWNED BY refusal_count.id;
CREATE SEQUENCE refusal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE refusal_id_seq OWNED BY refusal.id;
CREATE TABLE resend (
    id bigint NOT NULL,
    asked_by character varying(254) NOT NULL,
    query character varying(1000) NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    state character varying(32) NOT NULL,
    expected integer NOT NULL,
    total integer NOT NULL,
    gathered_below bigint,
    ended_at timestamp with time zone,
    CONSTRAINT ck_resend_resendstate CHECK (((state)::text = ANY ((ARRAY['gathering'::character varying, 'sending'::character varying, 'done'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE SEQUENCE resend_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE resend_id_seq OWNED BY resend.id;
CREATE TABLE secret_change (
    id bigint NOT NULL,
    zoom_app_id uuid NOT NULL,
    asked_by character varying(254) NOT NULL,
    has_client_secret boolean NOT NULL,
    has_secret_token boolean NOT NULL,
    stored_at timestamp with time zone NOT NULL,
    recall_at timestamp with time zone,
    recall_error character varying(300) NOT NULL,
    recall_due_at timestamp with time zone,
    zoom_seen_at timestamp with time zone,
    previous_until timestamp with time zone,
    ended_at timestamp with time zone
);
CREATE SEQUENCE secret_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE secret_change_id_seq OWNED BY secret_change.id;
CREATE TABLE staff (
    id uuid NOT NULL,
    email character varying(254) NOT NULL,
    role character varying(32) NOT NULL,
    password_hash character varying(255) NOT NULL,
    session_epoch integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_sign_in_at timestamp with time zone,
    disabled_at timestamp with time zone,
    CONSTRAINT ck_staff_role CHECK (((role)::text = ANY ((ARRAY['admin'::character varying, 'support'::character varying])::text[])))
);
CREATE TABLE throttle (
    key character varying(64) NOT NULL,
    tries integer NOT NULL,
    window_at timestamp with time zone NOT NULL
);
CREATE TABLE validation_check (
    id bigint NOT NULL,
    zoom_app_id uuid NOT NULL,
    source character varying(32) NOT NULL,
    finding character varying(32) NOT NULL,
    detail character varying(300) NOT NULL,
    took_ms double precision,
    webhook_id bigint,
    at timestamp with time zone NOT NULL,
    told_at timestamp with time zone,
    CONSTRAINT ck_validation_check_finding CHECK (((finding)::text = ANY ((ARRAY['good'::character varying, 'secret_mismatch'::character varying, 'failed'::character varying, 'not_seen'::character varying, 'gone'::character varying, 'noted'::character varying])::text[]))),
    CONSTRAINT ck_validation_check_source CHECK (((source)::text = ANY ((ARRAY['zoom_challenge'::character varying, 'zoom_event'::character varying, 'recall_challenge'::character varying, 'recall_probe'::character varying, 'recall_api'::character varying, 'outside_probe'::character varying, 'recall_log'::character varying])::text[])))
);
CREATE SEQUENCE validation_check_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE validation_check_id_seq OWNED BY validation_check.id;
CREATE TABLE vault_check (
    id integer NOT NULL,
    sealed bytea NOT NULL
);
CREATE SEQUENCE vault_check_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE vault_check_id_seq OWNED BY vault_check.id;
CREATE TABLE watch (
    zoom_app_id uuid NOT NULL,
    watched_until timestamp with time zone,
    poll_due_at timestamp with time zone NOT NULL,
    polled_at timestamp with time zone,
    log_due_at timestamp with time zone NOT NULL,
    log_seen_at timestamp with time zone,
    probe_due_at timestamp with time zone NOT NULL,
    failures integer NOT NULL,
    claimed_until timestamp with time zone,
    claim integer NOT NULL,
    unhealthy_due_at timestamp with time zone
);
CREATE TABLE webhook (
    id bigint NOT NULL,
    zoom_app_id uuid NOT NULL,
    dedupe bytea NOT NULL,
    event character varying(80) NOT NULL,
    event_ts bigint,
    sent_at_s bigint NOT NULL,
    verdict character varying(16) NOT NULL,
    zoom_user_id character varying(64),
    zoom_account_id character varying(64),
    meeting_id bigint,
    body_bytes integer NOT NULL,
    body_sha256 character varying(64) NOT NULL,
    received_at timestamp with time zone NOT NULL,
    arrivals integer NOT NULL,
    answered_ms double precision NOT NULL,
    outcome character varying(32) NOT NULL,
    outcome_reason character varying(500) NOT NULL,
    attempts integer NOT NULL,
    due_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone,
    claim integer NOT NULL,
    delivered_at timestamp with time zone,
    is_unread boolean DEFAULT false NOT NULL,
    erased_at timestamp with time zone,
    CONSTRAINT ck_webhook_outcome CHECK (((outcome)::text = ANY ((ARRAY['waiting'::character varying, 'delivered'::character varying, 'dead'::character varying, 'kept'::character varying])::text[])))
);
CREATE TABLE webhook_body (
    webhook_id bigint NOT NULL,
    headers bytea NOT NULL,
    body bytea NOT NULL
);
CREATE SEQUENCE webhook_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE webhook_id_seq OWNED BY webhook.id;
CREATE TABLE workspace (
    id uuid NOT NULL,
    name character varying(80) NOT NULL,
    region character varying(32) NOT NULL,
    api_key bytea NOT NULL,
    api_key_print character varying(8) NOT NULL,
    api_key_length integer NOT NULL,
    api_key_set_at timestamp with time zone NOT NULL,
    verification_secret bytea,
    verdict character varying(32) NOT NULL,
    verdict_reason character varying(300) NOT NULL,
    checked_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    verification_secret_print character varying(8) DEFAULT ''::character varying NOT NULL,
    verification_secret_length integer DEFAULT 0 NOT NULL,
    verification_secret_set_at timestamp with time zone,
    requires_signature boolean DEFAULT false NOT NULL,
    mappings_due_at timestamp with time zone,
    mappings_seen_at timestamp with time zone,
    CONSTRAINT ck_workspace_verdict CHECK (((verdict)::text = ANY ((ARRAY['right'::character varying, 'wrong'::character varying, 'unknown'::character varying])::text[])))
);
CREATE TABLE zoom_app (
    id uuid NOT NULL,
    name character varying(80) NOT NULL,
    environment character varying(32) NOT NULL,
    kind character varying(32) NOT NULL,
    scope_style character varying(32) NOT NULL,
    routing character varying(32) NOT NULL,
    token_custody character varying(32) NOT NULL,
    client_id character varying(200) NOT NULL,
    client_secret bytea NOT NULL,
    client_secret_print character varying(8) NOT NULL,
    client_secret_length integer NOT NULL,
    client_secret_set_at timestamp with time zone NOT NULL,
    secret_token bytea NOT NULL,
    secret_token_print character varying(8) NOT NULL,
    secret_token_length integer NOT NULL,
    secret_token_set_at timestamp with time zone NOT NULL,
    previous_secret_token bytea,
    verdict character varying(32) NOT NULL,
    verdict_reason character varying(300) NOT NULL,
    checked_at timestamp with time zone,
    slug character varying(64) NOT NULL,
    workspace_id uuid,
    recall_app_id uuid,
    recall_created_at timestamp with time zone,
    create_key character varying(64),
    version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    rotation_until timestamp with time zone,
    retired_at timestamp with time zone,
    subscription_checked_at timestamp with time zone,
    succeeds_id uuid,
    subscription_id character varying(64),
    subscription_state character varying(32) DEFAULT ''::character varying NOT NULL,
    subscription_reason character varying(300) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT ck_zoom_app_environment CHECK (((environment)::text = ANY ((ARRAY['development'::character varying, 'production'::character varying])::text[]))),
    CONSTRAINT ck_zoom_app_kind CHECK (((kind)::text = ANY ((ARRAY['user_level'::character varying, 'account_level'::character varying])::text[]))),
    CONSTRAINT ck_zoom_app_routing CHECK (((routing)::text = ANY ((ARRAY['relay'::character varying, 'direct'::character varying])::text[]))),
    CONSTRAINT ck_zoom_app_scopestyle CHECK (((scope_style)::text = ANY ((ARRAY['granular'::character varying, 'legacy'::character varying])::text[]))),
    CONSTRAINT ck_zoom_app_tokencustody CHECK (((token_custody)::text = ANY ((ARRAY['recall'::character varying, 'dashboard'::character varying])::text[]))),
    CONSTRAINT ck_zoom_app_verdict CHECK (((verdict)::text = ANY ((ARRAY['right'::character varying, 'wrong'::character varying, 'unknown'::character varying])::text[])))
);
ALTER TABLE ONLY arrival ALTER COLUMN id SET DEFAULT nextval('arrival_id_seq'::regclass);
ALTER TABLE ONLY attempt ALTER COLUMN id SET DEFAULT nextval('attempt_id_seq'::regclass);
ALTER TABLE ONLY audit_entry ALTER COLUMN id SET DEFAULT nextval('audit_entry_id_seq'::regclass);
ALTER TABLE ONLY connection_event ALTER COLUMN id SET DEFAULT nextval('connection_event_id_seq'::regclass);
ALTER TABLE ONLY meeting_mapping ALTER COLUMN id SET DEFAULT nextval('meeting_mapping_id_seq'::regclass);
ALTER TABLE ONLY redelivery ALTER COLUMN id SET DEFAULT nextval('redelivery_id_seq'::regclass);
ALTER TABLE ONLY refusal ALTER COLUMN id SET DEFAULT nextval('refusal_id_seq'::regclass);
ALTER TABLE ONLY refusal_count ALTER COLUMN id SET DEFAULT nextval('refusal_count_id_seq'::regclass);
ALTER TABLE ONLY resend ALTER COLUMN id SET DEFAULT nextval('resend_id_seq'::regclass);
ALTER TABLE ONLY secret_change ALTER COLUMN id SET DEFAULT nextval('secret_change_id_seq'::regclass);
ALTER TABLE ONLY validation_check ALTER COLUMN id SET DEFAULT nextval('validation_check_id_seq'::regclass);
ALTER TABLE ONLY vault_check ALTER COLUMN id SET DEFAULT nextval('vault_check_id_seq'::regclass);
ALTER TABLE ONLY webhook ALTER COLUMN id SET DEFAULT nextval('webhook_id_seq'::regclass);
ALTER TABLE ONLY alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY account_member
    ADD CONSTRAINT pk_account_member PRIMARY KEY (connection_id, zoom_user_id);
ALTER TABLE ONLY arrival
    ADD CONSTRAINT pk_arrival PRIMARY KEY (id);
ALTER TABLE ONLY attempt
    ADD CONSTRAINT pk_attempt PRIMARY KEY (id);
ALTER TABLE ONLY audit_entry
    ADD CONSTRAINT pk_audit_entry PRIMARY KEY (id);
ALTER TABLE ONLY connect_attempt
    ADD CONSTRAINT pk_connect_attempt PRIMARY KEY (id);
ALTER TABLE ONLY connection
    ADD CONSTRAINT pk_connection PRIMARY KEY (id);
ALTER TABLE ONLY connection_event
    ADD CONSTRAINT pk_connection_event PRIMARY KEY (id);
ALTER TABLE ONLY erasure
    ADD CONSTRAINT pk_erasure PRIMARY KEY (id);
ALTER TABLE ONLY heard_hour
    ADD CONSTRAINT pk_heard_hour PRIMARY KEY (zoom_app_id, hour);
ALTER TABLE ONLY held_grant
    ADD CONSTRAINT pk_held_grant PRIMARY KEY (connection_id);
ALTER TABLE ONLY hold
    ADD CONSTRAINT pk_hold PRIMARY KEY (id);
ALTER TABLE ONLY invitation
    ADD CONSTRAINT pk_invitation PRIMARY KEY (id);
ALTER TABLE ONLY meeting_mapping
    ADD CONSTRAINT pk_meeting_mapping PRIMARY KEY (id);
ALTER TABLE ONLY milestone
    ADD CONSTRAINT pk_milestone PRIMARY KEY (zoom_app_id, key);
ALTER TABLE ONLY page_design
    ADD CONSTRAINT pk_page_design PRIMARY KEY (zoom_app_id);
ALTER TABLE ONLY rate_pause
    ADD CONSTRAINT pk_rate_pause PRIMARY KEY (scope, operation);
ALTER TABLE ONLY rate_slot
    ADD CONSTRAINT pk_rate_slot PRIMARY KEY (scope, operation, slot);
ALTER TABLE ONLY redelivery
    ADD CONSTRAINT pk_redelivery PRIMARY KEY (id);
ALTER TABLE ONLY refusal
    ADD CONSTRAINT pk_refusal PRIMARY KEY (id);
ALTER TABLE ONLY refusal_count
    ADD CONSTRAINT pk_refusal_count PRIMARY KEY (id);
ALTER TABLE ONLY resend
    ADD CONSTRAINT pk_resend PRIMARY KEY (id);
ALTER TABLE ONLY secret_change
    ADD CONSTRAINT pk_secret_change PRIMARY KEY (id);
ALTER TABLE ONLY staff
    ADD CONSTRAINT pk_staff PRIMARY KEY (id);
ALTER TABLE ONLY throttle
    ADD CONSTRAINT pk_throttle PRIMARY KEY (key);
ALTER TABLE ONLY validation_check
    ADD CONSTRAINT pk_validation_check PRIMARY KEY (id);
ALTER TABLE ONLY vault_check
    ADD CONSTRAINT pk_vault_check PRIMARY KEY (id);
ALTER TABLE ONLY watch
    ADD CONSTRAINT pk_watch PRIMARY KEY (zoom_app_id);
ALTER TABLE ONLY webhook
    ADD CONSTRAINT pk_webhook PRIMARY KEY (id);
ALTER TABLE ONLY webhook_body
    ADD CONSTRAINT pk_webhook_body PRIMARY KEY (webhook_id);
ALTER TABLE ONLY workspace
    ADD CONSTRAINT pk_workspace PRIMARY KEY (id);
ALTER TABLE ONLY zoom_app
    ADD CONSTRAINT pk_zoom_app PRIMARY KEY (id);
ALTER TABLE ONLY connect_attempt
    ADD CONSTRAINT uq_connect_attempt_state_hash UNIQUE (state_hash);
ALTER TABLE ONLY connection_event
    ADD CONSTRAINT uq_connection_event_connection_id_mark UNIQUE (connection_id, mark);
ALTER TABLE ONLY connection
    ADD CONSTRAINT uq_connection_recall_credential_id UNIQUE (recall_credential_id);
ALTER TABLE ONLY connection
    ADD CONSTRAINT uq_connection_zoom_app_id_zoom_user_id UNIQUE (zoom_app_id, zoom_user_id);
ALTER TABLE ONLY held_grant
    ADD CONSTRAINT uq_held_grant_key_hash UNIQUE (key_hash);
ALTER TABLE ONLY invitation
    ADD CONSTRAINT uq_invitation_token_hash UNIQUE (token_hash);
ALTER TABLE ONLY meeting_mapping
    ADD CONSTRAINT uq_meeting_mapping_connection_id_meeting_id UNIQUE (connection_id, meeting_id);
ALTER TABLE ONLY redelivery
    ADD CONSTRAINT uq_redelivery_resend_id_webhook_id UNIQUE (resend_id, webhook_id);
ALTER TABLE ONLY refusal_count
    ADD CONSTRAINT uq_refusal_count_zoom_app_id_cause_hour_at UNIQUE (zoom_app_id, cause, hour_at);
ALTER TABLE ONLY staff
    ADD CONSTRAINT uq_staff_email UNIQUE (email);
ALTER TABLE ONLY webhook
    ADD CONSTRAINT uq_webhook_dedupe UNIQUE (dedupe);
ALTER TABLE ONLY zoom_app
    ADD CONSTRAINT uq_zoom_app_client_id UNIQUE (client_id);
ALTER TABLE ONLY zoom_app
    ADD CONSTRAINT uq_zoom_app_recall_app_id UNIQUE (recall_app_id);
ALTER TABLE ONLY zoom_app
    ADD CONSTRAINT uq_zoom_app_slug UNIQUE (slug);
CREATE INDEX ix_account_member_email ON account_member USING btree (email);
CREATE INDEX ix_account_member_pmi ON account_member USING btree (pmi);
CREATE INDEX ix_account_member_previous_pmi ON account_member USING btree (previous_pmi);
CREATE INDEX ix_account_member_zoom_user_id ON account_member USING btree (zoom_user_id);
CREATE INDEX ix_arrival_webhook_id ON arrival USING btree (webhook_id);
CREATE INDEX ix_attempt_webhook_id ON attempt USING btree (webhook_id);
CREATE INDEX ix_audit_entry_act_id ON audit_entry USING btree (act, id);
CREATE INDEX ix_connect_attempt_browser_hash ON connect_attempt USING btree (browser_hash);
CREATE INDEX ix_connect_attempt_connection_id ON connect_attempt USING btree (connection_id);
CREATE INDEX ix_connect_attempt_invitation_id ON connect_attempt USING btree (invitation_id);
CREATE INDEX ix_connect_attempt_outcome_expires_at ON connect_attempt USING btree (outcome, expires_at);
CREATE INDEX ix_connect_attempt_zoom_app_id_created_at_id ON connect_attempt USING btree (zoom_app_id, created_at, id);
CREATE INDEX ix_connection_connected_at_id ON connection USING btree (connected_at, id);
CREATE INDEX ix_connection_display_name_id ON connection USING btree (display_name, id);
CREATE INDEX ix_connection_due_at ON connection USING btree (due_at);
CREATE INDEX ix_connection_email ON connection USING btree (email);
CREATE INDEX ix_connection_event_connection_id_at_id ON connection_event USING btree (connection_id, at, id);
CREATE INDEX ix_connection_pmi ON connection USING btree (pmi);
CREATE INDEX ix_connection_previous_pmi ON connection USING btree (previous_pmi);
CREATE INDEX ix_connection_search_text_connected_at_id ON connection USING btree (search_text, connected_at, id);
CREATE INDEX ix_connection_token_checked_at ON connection USING btree (token_checked_at);
CREATE INDEX ix_connection_token_state_connected_at_id ON connection USING btree (token_state, connected_at, id);
CREATE INDEX ix_connection_zoom_account_id ON connection USING btree (zoom_account_id);
CREATE INDEX ix_connection_zoom_app_id_connected_at_id ON connection USING btree (zoom_app_id, connected_at, id);
CREATE INDEX ix_connection_zoom_user_id ON connection USING btree (zoom_user_id);
CREATE INDEX ix_erasure_ended_at_due_at ON erasure USING btree (ended_at, due_at);
CREATE INDEX ix_erasure_zoom_app_id ON erasure USING btree (zoom_app_id);
CREATE INDEX ix_held_grant_refresh_due_at ON held_grant USING btree (refresh_due_at);
CREATE INDEX ix_invitation_connection_id ON invitation USING btree (connection_id);
CREATE INDEX ix_invitation_email ON invitation USING btree (email);
CREATE INDEX ix_invitation_state_expires_at ON invitation USING btree (state, expires_at);
CREATE INDEX ix_invitation_user_ref ON invitation USING btree (user_ref);
CREATE INDEX ix_invitation_zoom_app_id_created_at_id ON invitation USING btree (zoom_app_id, created_at, id);
CREATE INDEX ix_invitation_zoom_user_id ON invitation USING btree (zoom_user_id);
CREATE INDEX ix_meeting_mapping_meeting_id ON meeting_mapping USING btree (meeting_id);
CREATE INDEX ix_redelivery_due_at ON redelivery USING btree (zoom_app_id, due_at) WHERE ((outcome)::text = 'waiting'::text);
CREATE INDEX ix_redelivery_resend_id_outcome ON redelivery USING btree (resend_id, outcome);
CREATE INDEX ix_redelivery_webhook_id ON redelivery USING btree (webhook_id);
CREATE INDEX ix_refusal_zoom_app_id_id ON refusal USING btree (zoom_app_id, id);
CREATE INDEX ix_resend_state ON resend USING btree (state);
CREATE INDEX ix_secret_change_zoom_app_id_id ON secret_change USING btree (zoom_app_id, id);
CREATE INDEX ix_validation_check_zoom_app_id_source_id ON validation_check USING btree (zoom_app_id, source, id);
CREATE INDEX ix_webhook_dead ON webhook USING btree (zoom_app_id, id) WHERE ((outcome)::text = 'dead'::text);
CREATE INDEX ix_webhook_due_at ON webhook USING btree (zoom_app_id, due_at) WHERE ((outcome)::text = 'waiting'::text);
CREATE INDEX ix_webhook_event_id ON webhook USING btree (event, id);
CREATE INDEX ix_webhook_meeting_id_id ON webhook USING btree (meeting_id, id);
CREATE INDEX ix_webhook_outcome_id ON webhook USING btree (outcome, id);
CREATE INDEX ix_webhook_unread ON webhook USING btree (id) WHERE is_unread;
CREATE INDEX ix_webhook_zoom_account_id_id ON webhook USING btree (zoom_account_id, id);
CREATE INDEX ix_webhook_zoom_app_id_id ON webhook USING btree (zoom_app_id, id);
CREATE INDEX ix_webhook_zoom_user_id_id ON webhook USING btree (zoom_user_id, id);
ALTER TABLE ONLY account_member
    ADD CONSTRAINT fk_account_member_connection_id_connection FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE CASCADE;
ALTER TABLE ONLY arrival
    ADD CONSTRAINT fk_arrival_webhook_id_webhook FOREIGN KEY (webhook_id) REFERENCES webhook(id) ON DELETE CASCADE;
ALTER TABLE ONLY attempt
    ADD CONSTRAINT fk_attempt_webhook_id_webhook FOREIGN KEY (webhook_id) REFERENCES webhook(id) ON DELETE CASCADE;
ALTER TABLE ONLY connect_attempt
    ADD CONSTRAINT fk_connect_attempt_connection_id_connection FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE SET NULL;
ALTER TABLE ONLY connect_attempt
    ADD CONSTRAINT fk_connect_attempt_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY connection_event
    ADD CONSTRAINT fk_connection_event_connection_id_connection FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE CASCADE;
ALTER TABLE ONLY connection
    ADD CONSTRAINT fk_connection_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY erasure
    ADD CONSTRAINT fk_erasure_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY heard_hour
    ADD CONSTRAINT fk_heard_hour_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY held_grant
    ADD CONSTRAINT fk_held_grant_connection_id_connection FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE CASCADE;
ALTER TABLE ONLY invitation
    ADD CONSTRAINT fk_invitation_connection_id_connection FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE SET NULL;
ALTER TABLE ONLY invitation
    ADD CONSTRAINT fk_invitation_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY meeting_mapping
    ADD CONSTRAINT fk_meeting_mapping_connection_id_connection FOREIGN KEY (connection_id) REFERENCES connection(id) ON DELETE CASCADE;
ALTER TABLE ONLY milestone
    ADD CONSTRAINT fk_milestone_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY page_design
    ADD CONSTRAINT fk_page_design_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id) ON DELETE CASCADE;
ALTER TABLE ONLY redelivery
    ADD CONSTRAINT fk_redelivery_resend_id_resend FOREIGN KEY (resend_id) REFERENCES resend(id) ON DELETE CASCADE;
ALTER TABLE ONLY redelivery
    ADD CONSTRAINT fk_redelivery_webhook_id_webhook FOREIGN KEY (webhook_id) REFERENCES webhook(id) ON DELETE CASCADE;
ALTER TABLE ONLY redelivery
    ADD CONSTRAINT fk_redelivery_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY refusal_count
    ADD CONSTRAINT fk_refusal_count_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY refusal
    ADD CONSTRAINT fk_refusal_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY secret_change
    ADD CONSTRAINT fk_secret_change_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY validation_check
    ADD CONSTRAINT fk_validation_check_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY watch
    ADD CONSTRAINT fk_watch_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY webhook_body
    ADD CONSTRAINT fk_webhook_body_webhook_id_webhook FOREIGN KEY (webhook_id) REFERENCES webhook(id) ON DELETE CASCADE;
ALTER TABLE ONLY webhook
    ADD CONSTRAINT fk_webhook_zoom_app_id_zoom_app FOREIGN KEY (zoom_app_id) REFERENCES zoom_app(id);
ALTER TABLE ONLY zoom_app
    ADD CONSTRAINT fk_zoom_app_workspace_id_workspace FOREIGN KEY (workspace_id) REFERENCES workspace(id);
INSERT INTO alembic_version VALUES ('0005');
