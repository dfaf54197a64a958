from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0005_subtitles_loudness")]

    operations = [
        migrations.AddField(
            model_name="rendition", name="promised_bytes", field=models.BigIntegerField(default=0)
        ),
        migrations.AddField(
            model_name="rendition", name="settled_until", field=models.IntegerField(default=0)
        ),
        migrations.AddField(model_name="chunk", name="segment_crcs", field=models.BinaryField(default=bytes)),
        migrations.AddIndex(
            model_name="chunk",
            index=models.Index(
                condition=models.Q(("state", "failed")), fields=["rendition"], name="chunk_failed"
            ),
        ),
    ]
