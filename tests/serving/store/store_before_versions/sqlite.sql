CREATE TABLE audit (
    entry INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    happened_at DATETIME NOT NULL, 
    actor VARCHAR(200) NOT NULL, 
    action VARCHAR(40) NOT NULL, 
    object VARCHAR(400) NOT NULL
);

CREATE TABLE feedback (
    feedback_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    idempotency_key VARCHAR(200) NOT NULL, 
    account_id VARCHAR(400) NOT NULL, 
    kind VARCHAR(40) NOT NULL, 
    note TEXT, 
    token_id VARCHAR(40) NOT NULL, 
    recorded_at DATETIME NOT NULL, 
    UNIQUE (idempotency_key)
);

CREATE INDEX ix_feedback_account_id ON feedback (account_id);

CREATE TABLE publications (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    as_of DATETIME NOT NULL, 
    scored_at DATETIME NOT NULL, 
    published_at DATETIME NOT NULL, 
    list_horizon_days INTEGER NOT NULL, 
    currency VARCHAR(8) NOT NULL, 
    accounts INTEGER NOT NULL
);

CREATE TABLE tokens (
    token_id VARCHAR(40) NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    secret_hash VARCHAR(64) NOT NULL, 
    scopes TEXT NOT NULL, 
    created_at DATETIME NOT NULL, 
    expires_at DATETIME, 
    revoked_at DATETIME, 
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
    arr FLOAT, 
    renews_at DATETIME, 
    probability FLOAT, 
    band VARCHAR(20), 
    expected_loss FLOAT, 
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
    share FLOAT NOT NULL, 
    text TEXT NOT NULL, 
    PRIMARY KEY (publication, account_id), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE TABLE published_origins (
    publication INTEGER NOT NULL, 
    source_fingerprint VARCHAR(64) NOT NULL, 
    extracted_at DATETIME NOT NULL, 
    code VARCHAR(80) NOT NULL, 
    scores_digest VARCHAR(64) NOT NULL, 
    line_digest VARCHAR(64) NOT NULL, 
    PRIMARY KEY (publication), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE TABLE published_renewals (
    publication INTEGER NOT NULL, 
    account_id VARCHAR(400) NOT NULL, 
    renewal_date DATETIME NOT NULL, 
    notice_deadline DATETIME, 
    renewal_probability FLOAT, 
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
    probability FLOAT, 
    band VARCHAR(20), 
    rank INTEGER, 
    reasons TEXT NOT NULL, 
    expected_added_mrr FLOAT, 
    PRIMARY KEY (publication, account_id, model, horizon_days), 
    FOREIGN KEY(publication) REFERENCES publications (number)
);

CREATE INDEX scores_of_account ON scores (account_id, publication);

