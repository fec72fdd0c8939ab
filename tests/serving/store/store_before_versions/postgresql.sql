CREATE TABLE audit (
    entry SERIAL NOT NULL, 
    happened_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    actor VARCHAR(200) NOT NULL, 
    action VARCHAR(40) NOT NULL, 
    object VARCHAR(400) NOT NULL, 
    PRIMARY KEY (entry)
);

CREATE TABLE feedback (
    feedback_id SERIAL NOT NULL, 
    idempotency_key VARCHAR(200) NOT NULL, 
    account_id VARCHAR(400) NOT NULL, 
    kind VARCHAR(40) NOT NULL, 
    note TEXT, 
    token_id VARCHAR(40) NOT NULL, 
    recorded_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    PRIMARY KEY (feedback_id), 
    UNIQUE (idempotency_key)
);

CREATE INDEX ix_feedback_account_id ON feedback (account_id);

CREATE TABLE publications (
    number SERIAL NOT NULL, 
    as_of TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    scored_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    published_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    list_horizon_days INTEGER NOT NULL, 
    currency VARCHAR(8) NOT NULL, 
    accounts INTEGER NOT NULL, 
    PRIMARY KEY (number)
);

CREATE TABLE tokens (
    token_id VARCHAR(40) NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    secret_hash VARCHAR(64) NOT NULL, 
    scopes TEXT NOT NULL, 
    created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    expires_at TIMESTAMP WITHOUT TIME ZONE, 
    revoked_at TIMESTAMP WITHOUT TIME ZONE, 
    PRIMARY KEY (token_id)
);

CREATE TABLE published_accounts (
    publication INTEGER NOT NULL, 
    account_id VARCHAR(400) NOT NULL, 
    name TEXT, 
    tier TEXT, 
    csm TEXT, 
    status VARCHAR(20) NOT NULL, 
    customer_group VARCHAR(400), 
    arr FLOAT(53), 
    renews_at TIMESTAMP WITHOUT TIME ZONE, 
    probability FLOAT(53), 
    band VARCHAR(20), 
    expected_loss FLOAT(53), 
    position INTEGER, 
    signals TEXT NOT NULL, 
    PRIMARY KEY (publication, account_id), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE INDEX work_list ON published_accounts (publication, position);

CREATE TABLE published_models (
    publication INTEGER NOT NULL, 
    model VARCHAR(40) NOT NULL, 
    model_version VARCHAR(200) NOT NULL, 
    features_version VARCHAR(200) NOT NULL, 
    horizons_days TEXT NOT NULL, 
    about TEXT NOT NULL, 
    PRIMARY KEY (publication, model), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE TABLE published_next_products (
    publication INTEGER NOT NULL, 
    account_id VARCHAR(400) NOT NULL, 
    product TEXT NOT NULL, 
    share FLOAT(53) NOT NULL, 
    text TEXT NOT NULL, 
    PRIMARY KEY (publication, account_id), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE TABLE published_origins (
    publication INTEGER NOT NULL, 
    source_fingerprint VARCHAR(64) NOT NULL, 
    extracted_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    code VARCHAR(80) NOT NULL, 
    scores_digest VARCHAR(64) NOT NULL, 
    line_digest VARCHAR(64) NOT NULL, 
    PRIMARY KEY (publication), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE TABLE published_renewals (
    publication INTEGER NOT NULL, 
    account_id VARCHAR(400) NOT NULL, 
    renewal_date TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    notice_deadline TIMESTAMP WITHOUT TIME ZONE, 
    renewal_probability FLOAT(53), 
    PRIMARY KEY (publication, account_id), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE TABLE scores (
    publication INTEGER NOT NULL, 
    account_id VARCHAR(400) NOT NULL, 
    model VARCHAR(40) NOT NULL, 
    horizon_days INTEGER NOT NULL, 
    status VARCHAR(20) NOT NULL, 
    model_version VARCHAR(200) NOT NULL, 
    features_version VARCHAR(200) NOT NULL, 
    probability FLOAT(53), 
    band VARCHAR(20), 
    rank INTEGER, 
    reasons TEXT NOT NULL, 
    expected_added_mrr FLOAT(53), 
    PRIMARY KEY (publication, account_id, model, horizon_days), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE INDEX scores_of_account ON scores (account_id, publication);

