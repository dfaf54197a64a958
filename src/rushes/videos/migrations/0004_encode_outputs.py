from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0003_owner_protected")]

    operations = [
        migrations.AddField("encode", "storyboard", models.CharField(blank=True, default="", max_length=200)),
        migrations.AddField("encode", "preview", models.CharField(blank=True, default="", max_length=200)),
        migrations.AddField("encode", "outputs", models.JSONField(blank=True, default=dict)),
    ]
