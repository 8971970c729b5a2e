"""SOLAPI: text messages, 알림톡 and brand messages over one key pair."""
