-- The same blog as `prisma migrate deploy` has made it in PostgreSQL, with a trigger and an audit that the team has added.
-- dbferry changes nothing of it.

CREATE TYPE "Role" AS ENUM ('READER', 'AUTHOR', 'ADMIN');

CREATE TABLE "User" (
  "id" SERIAL PRIMARY KEY,
  "publicId" UUID NOT NULL,
  "email" TEXT NOT NULL,
  "fullName" TEXT,
  "isActive" BOOLEAN NOT NULL DEFAULT true,
  "role" "Role" NOT NULL DEFAULT 'READER',
  "settings" JSONB,
  "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt" TIMESTAMPTZ(3) NOT NULL,
  "lastSeenAt" TIMESTAMPTZ(3)
);
CREATE UNIQUE INDEX "User_publicId_key" ON "User" ("publicId");
CREATE UNIQUE INDEX "User_email_key" ON "User" ("email");

CREATE TABLE "Post" (
  "id" SERIAL PRIMARY KEY,
  "authorId" INTEGER NOT NULL,
  "title" VARCHAR(150) NOT NULL,
  "body" TEXT NOT NULL,
  "publishedAt" TIMESTAMPTZ(3),
  CONSTRAINT "Post_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE INDEX "Post_authorId_idx" ON "Post" ("authorId");

CREATE TABLE "Tag" ("id" SERIAL PRIMARY KEY, "name" TEXT NOT NULL);
CREATE UNIQUE INDEX "Tag_name_key" ON "Tag" ("name");

-- How Prisma keeps a relation of many to many.
CREATE TABLE "_PostToTag" (
  "A" INTEGER NOT NULL REFERENCES "Post" ("id") ON DELETE CASCADE,
  "B" INTEGER NOT NULL REFERENCES "Tag" ("id") ON DELETE CASCADE,
  CONSTRAINT "_PostToTag_AB_pkey" PRIMARY KEY ("A", "B")
);
CREATE INDEX "_PostToTag_B_index" ON "_PostToTag" ("B");

CREATE TABLE "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name") VALUES ('5f7c0d1e-0000-4000-8000-000000000001', 'c0ffee', '20250101000000_init');

CREATE TABLE "Audit" ("id" SERIAL PRIMARY KEY, "what" TEXT NOT NULL, "at" TIMESTAMPTZ NOT NULL DEFAULT now());
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "Audit" ("what") VALUES (TG_OP || ' ' || NEW."email");
  NEW."updatedAt" := now();
  RETURN NEW;
END $$;
CREATE TRIGGER user_changed BEFORE INSERT OR UPDATE ON "User" FOR EACH ROW EXECUTE FUNCTION note_change();
